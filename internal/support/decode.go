// SPDX-License-Identifier: Apache-2.0

package support

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	v1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
)

// DecodeFacts reads what a probe wrote. The bytes come from a node and are treated as hostile: what is returned
// without an error has only known enums, bounded lengths and harmless characters. On an error the reason is
// FactsUnreadable or FactsSchemaUnknown.
func DecodeFacts(b []byte) (facts *v1.NodeFacts, reason string, err error) {
	if err = readable(b); err != nil {
		return nil, v1.ReasonFactsUnreadable, err
	}
	var head struct {
		SchemaVersion *int32 `json:"schemaVersion"`
	}
	if err = json.Unmarshal(b, &head); err != nil {
		return nil, v1.ReasonFactsUnreadable, fmt.Errorf("facts: not the JSON of a probe, or cut short: %w; the probe's log says more", err)
	}
	if head.SchemaVersion == nil {
		return nil, v1.ReasonFactsUnreadable, errors.New("facts: schemaVersion is missing; is the agent's image the right one?")
	}
	if *head.SchemaVersion != v1.FactsSchemaVersion {
		return nil, v1.ReasonFactsSchemaUnknown, fmt.Errorf("facts: schemaVersion %d, and this operator knows %d; use the same version of operator and agent image",
			*head.SchemaVersion, v1.FactsSchemaVersion)
	}
	facts, err = decodeStrict(b)
	if err != nil {
		return nil, v1.ReasonFactsUnreadable, err
	}
	if err = validate(facts); err != nil {
		return nil, v1.ReasonFactsUnreadable, fmt.Errorf("facts: %w", err)
	}
	return facts, "", nil
}

func readable(b []byte) error {
	switch {
	case len(bytes.TrimSpace(b)) == 0:
		return errors.New("facts: empty; the probe ended before it wrote them, its log says why")
	case len(b) > v1.MaxFactsBytes:
		return fmt.Errorf("facts: %d bytes, at most %d are allowed; is the agent's image the right one?", len(b), v1.MaxFactsBytes)
	case !utf8.Valid(b):
		return errors.New("facts: not UTF-8; is the agent's image the right one?")
	}
	return nil
}

// decodeStrict refuses unknown fields: a change of the fields is a new schema version.
func decodeStrict(b []byte) (*v1.NodeFacts, error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	facts := &v1.NodeFacts{}
	if err := d.Decode(facts); err != nil {
		return nil, fmt.Errorf("facts: %w; use the same version of operator and agent image", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("facts: something follows the JSON object; is the agent's image the right one?")
	}
	return facts, nil
}
