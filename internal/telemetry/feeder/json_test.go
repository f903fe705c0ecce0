// SPDX-License-Identifier: Apache-2.0

package feeder

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"
)

func TestJSONReadsBackAsTheMessage(t *testing.T) {
	alert := &Alert{
		Timestamp: 1700000000, PolicyName: `a "b" <c>`, UID: 0, HostPID: 7, ATags: []string{"x", "y"},
		Owner: &Podowner{Ref: "Pod", Name: "p"}, EventData: map[string]string{"k": "v\n", "b": `c\d`, "a": "é\u2028"}, MaxAlertsPerSec: 10,
	}
	var line bytes.Buffer
	if err := WriteJSON(&line, alert); err != nil {
		t.Fatal(err)
	}
	want := `{"Timestamp":1700000000,"HostPID":7,"PPID":0,"PID":0,"UID":0,"PolicyName":"a \"b\" <c>","HostPPID":0,"ATags":["x","y"],` +
		`"Owner":{"Ref":"Pod","Name":"p"},"MaxAlertsPerSec":10,"EventData":{"a":"é\u2028","b":"c\\d","k":"v\n"}}`
	if diff := cmp.Diff(want, line.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	back := &Alert{}
	if err := json.Unmarshal(line.Bytes(), back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(alert, back, protocmp.Transform()); diff != "" {
		t.Errorf("read back (-want +got):\n%s", diff)
	}
}

func TestEmptyMessageIsAnObject(t *testing.T) {
	var line bytes.Buffer
	if err := WriteJSON(&line, &Podowner{}); err != nil || line.String() != "{}" {
		t.Errorf("%q, %v", line.String(), err)
	}
}
