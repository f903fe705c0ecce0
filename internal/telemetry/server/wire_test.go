// SPDX-License-Identifier: Apache-2.0

package server

import (
	"fmt"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
)

// contract is the wire format as clients have it, written down by hand: for each message its fields by number, from 1 on,
// without gaps. "i32" and "i64" are integers, "[]" repeated strings, "map" string to string, a message's name that message;
// all others are strings.
const contract = `
NonceMessage nonce:i32
ReplyMessage Retval:i32
RequestMessage Filter
Message Timestamp:i64 UpdatedTime ClusterName HostName HostIP Type Level Message
Podowner Ref Name Namespace
ExecEvent ExecID ExecutableName
Alert Timestamp:i64 UpdatedTime ClusterName HostName NamespaceName PodName ContainerID ContainerName HostPID:i32 PPID:i32 PID:i32 UID:i32 PolicyName Severity Tags Message Type Source Operation Resource Data Action Result ContainerImage ParentProcessName ProcessName HostPPID:i32 Enforcer Labels ATags:[] Owner:Podowner Cwd TTY MaxAlertsPerSec:i32 DroppingAlertsInterval:i32 ExecEvent:ExecEvent KubeArmorVersion NodeID ProcessHash ParentHash ResourceHash HashAlgo EventData:map UserName
Log Timestamp:i64 UpdatedTime ClusterName HostName NamespaceName PodName ContainerID ContainerName HostPID:i32 PPID:i32 PID:i32 UID:i32 Type Source Operation Resource Data Result ContainerImage ParentProcessName ProcessName HostPPID:i32 Labels Owner:Podowner Cwd TTY ExecEvent:ExecEvent NodeID ProcessHash ParentHash ResourceHash HashAlgo EventData:map UserName
`

// wire has the descriptors of a client that knows the contract and nothing of the server's code.
type wire struct{ file protoreflect.FileDescriptor }

func newWire(t *testing.T) wire {
	t.Helper()
	file := &descriptorpb.FileDescriptorProto{Name: proto.String("client.proto"), Package: proto.String("feeder"), Syntax: proto.String("proto3")}
	for line := range strings.Lines(strings.TrimSpace(contract)) {
		file.MessageType = append(file.MessageType, messageOf(strings.Fields(line)))
	}
	built, err := protodesc.NewFile(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	return wire{built}
}

func messageOf(words []string) *descriptorpb.DescriptorProto {
	m := &descriptorpb.DescriptorProto{Name: &words[0]}
	for i, word := range words[1:] {
		name, kind, _ := strings.Cut(word, ":")
		f := &descriptorpb.FieldDescriptorProto{
			Name: &name, Number: proto.Int32(int32(i + 1)),
			Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum(), Type: descriptorpb.FieldDescriptorProto_TYPE_STRING.Enum(),
		}
		switch kind {
		case "":
		case "i32":
			f.Type = descriptorpb.FieldDescriptorProto_TYPE_INT32.Enum()
		case "i64":
			f.Type = descriptorpb.FieldDescriptorProto_TYPE_INT64.Enum()
		case "[]":
			f.Label = descriptorpb.FieldDescriptorProto_LABEL_REPEATED.Enum()
		case "map":
			f.Label, f.Type = descriptorpb.FieldDescriptorProto_LABEL_REPEATED.Enum(), descriptorpb.FieldDescriptorProto_TYPE_MESSAGE.Enum()
			f.TypeName = proto.String(".feeder." + words[0] + "." + name + "Entry")
			entry := messageOf([]string{name + "Entry", "key", "value"})
			entry.Options = &descriptorpb.MessageOptions{MapEntry: proto.Bool(true)}
			m.NestedType = append(m.NestedType, entry)
		default:
			f.Type, f.TypeName = descriptorpb.FieldDescriptorProto_TYPE_MESSAGE.Enum(), proto.String(".feeder."+kind)
		}
		m.Field = append(m.Field, f)
	}
	return m
}

func (w wire) new(message string) *dynamicpb.Message {
	return dynamicpb.NewMessage(w.file.Messages().ByName(protoreflect.Name(message)))
}

// fill gives every field of a message a value of its own; the names are looked up in the message's own descriptor.
func fill(m protoreflect.Message) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		switch {
		case f.IsList():
			m.Mutable(f).List().Append(protoreflect.ValueOfString("value of " + string(f.Name())))
		case f.IsMap():
			m.Mutable(f).Map().Set(protoreflect.ValueOfString("key").MapKey(), protoreflect.ValueOfString("value of "+string(f.Name())))
		case f.Kind() == protoreflect.MessageKind:
			fill(m.Mutable(f).Message())
		case f.Kind() == protoreflect.Int32Kind:
			m.Set(f, protoreflect.ValueOfInt32(int32(number(f))))
		case f.Kind() == protoreflect.Int64Kind:
			m.Set(f, protoreflect.ValueOfInt64(number(f)))
		default:
			m.Set(f, protoreflect.ValueOfString("value of "+string(f.Name())))
		}
	}
}

// number made of a field's name, so that two fields that are swapped differ.
func number(f protoreflect.FieldDescriptor) int64 {
	sum := int64(0)
	for _, b := range []byte(f.Name()) {
		sum = sum*7 + int64(b)
	}
	return sum % 100_000
}

// texts gives every field that is set as "NAME = VALUE", in the order of the descriptor.
func texts(m protoreflect.Message, prefix string) []string {
	var out []string
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		if !m.Has(f) {
			continue
		}
		name, v := prefix+string(f.Name()), m.Get(f)
		switch {
		case f.IsList():
			out = append(out, fmt.Sprintf("%s = %d %v", name, v.List().Len(), v.List().Get(0)))
		case f.IsMap():
			out = append(out, fmt.Sprintf("%s = %d %v", name, v.Map().Len(), v.Map().Get(protoreflect.ValueOfString("key").MapKey())))
		case f.Kind() == protoreflect.MessageKind:
			out = append(out, texts(v.Message(), name+".")...)
		default:
			out = append(out, fmt.Sprintf("%s = %v", name, v.Interface()))
		}
	}
	return out
}
