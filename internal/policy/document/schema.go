// SPDX-License-Identifier: Apache-2.0

package document

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structural "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/objectmeta"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	metavalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"sigs.k8s.io/yaml"

	securityv1 "github.com/kubearmor/kubearmor-operator/api/security/v1"
	"github.com/kubearmor/kubearmor-operator/config/crd"
	"github.com/kubearmor/kubearmor-operator/internal/policy"
	"github.com/kubearmor/kubearmor-operator/internal/policy/glob"
	"github.com/kubearmor/kubearmor-operator/internal/policy/lint"
)

// schema of one kind.
type schema struct {
	namespaced bool
	create     func() runtime.Object
	structural *structural.Structural
	openapi    validation.SchemaValidator
	// rules are compiled at their first use: it takes a moment.
	rules *cel.Validator
}

func loadSchemas() (map[string]*schema, error) {
	create := map[string]func() runtime.Object{
		policy.KindPolicy:        func() runtime.Object { return &securityv1.KubeArmorPolicy{} },
		policy.KindClusterPolicy: func() runtime.Object { return &securityv1.KubeArmorClusterPolicy{} },
		policy.KindHostPolicy:    func() runtime.Object { return &securityv1.KubeArmorHostPolicy{} },
	}
	files, err := fs.Glob(crd.Policies, "bases/*.yaml")
	if err != nil {
		return nil, fmt.Errorf("find the definitions of policies: %w", err)
	}
	schemas := map[string]*schema{}
	for _, file := range files {
		raw, err := crd.Policies.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read a definition: %w", err)
		}
		var definition apiextensionsv1.CustomResourceDefinition
		if err := yaml.Unmarshal(raw, &definition); err != nil {
			return nil, fmt.Errorf("read definition %s: %w", file, err)
		}
		s, err := newSchema(&definition)
		if err != nil {
			return nil, fmt.Errorf("read definition %s: %w", file, err)
		}
		kind := definition.Spec.Names.Kind
		s.create = create[kind]
		schemas[kind] = s
	}
	for kind := range create {
		if schemas[kind] == nil {
			return nil, fmt.Errorf("no definition of %s is built in", kind)
		}
	}
	return schemas, nil
}

func newSchema(definition *apiextensionsv1.CustomResourceDefinition) (*schema, error) {
	var internal apiextensions.CustomResourceValidation
	err := apiextensionsv1.Convert_v1_CustomResourceValidation_To_apiextensions_CustomResourceValidation(
		definition.Spec.Versions[0].Schema, &internal, nil)
	if err != nil {
		return nil, fmt.Errorf("convert: %w", err)
	}
	s := &schema{namespaced: definition.Spec.Scope == apiextensionsv1.NamespaceScoped}
	if s.structural, err = structural.NewStructural(internal.OpenAPIV3Schema); err != nil {
		return nil, fmt.Errorf("structure: %w", err)
	}
	if s.openapi, _, err = validation.NewSchemaValidator(internal.OpenAPIV3Schema); err != nil {
		return nil, fmt.Errorf("validator: %w", err)
	}
	return s, nil
}

// validate goes the way of a create request with strict field validation, and returns the object when nothing is wrong.
func (s *schema) validate(d *Document, content map[string]any) runtime.Object {
	// The server drops the status of what is created; an exported policy still has the one that it had.
	delete(content, "status")
	metadata := s.metadata(d, content)
	unknown := pruning.PruneWithOptions(content, s.structural, true, structural.UnknownFieldPathOptions{TrackUnknownFieldPaths: true})
	for _, path := range unknown {
		d.fail(path, "unknown field; "+s.expected(path))
	}
	defaulting.PruneNonNullableNullsWithoutDefaults(content, s.structural)
	defaulting.Default(content, s.structural)
	errs, complete := s.check(content, metadata)
	for _, e := range errs {
		d.fail(fieldOf(e), expectation(e))
	}
	if !complete {
		d.Warnings = append(d.Warnings, d.At("", "not every rule could be checked, because of the form of the document; mend that first"))
	}
	if len(d.Errors) > 0 {
		// The schema's validator walks over maps.
		slices.SortStableFunc(d.Errors, func(a, b Problem) int {
			return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Field, b.Field), cmp.Compare(a.Message, b.Message))
		})
		return nil
	}
	object := s.create()
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(content, object); err != nil {
		d.fail("", err.Error())
		return nil
	}
	if d.selectable(object); len(d.Errors) > 0 {
		return nil
	}
	return object
}

// metadata reads and completes what the schema does not describe. Where it cannot be read, it is taken for empty.
func (s *schema) metadata(d *Document, content map[string]any) *metav1.ObjectMeta {
	metadata, _, unknown, err := objectmeta.GetObjectMetaWithOptions(content, objectmeta.ObjectMetaOptions{ReturnUnknownFieldPaths: true})
	if err != nil {
		d.fail("metadata", err.Error())
	}
	for _, path := range unknown {
		d.fail(path, "unknown field")
	}
	if metadata == nil {
		metadata = &metav1.ObjectMeta{}
	}
	// kubectl fills in the namespace of its context, and the server a name that is to be generated.
	if s.namespaced && metadata.Namespace == "" {
		metadata.Namespace = metav1.NamespaceDefault
	}
	if !s.namespaced && metadata.Namespace != "" {
		d.Warnings = append(d.Warnings, d.At("metadata.namespace", "means nothing: a "+d.Kind+" belongs to no namespace"))
		metadata.Namespace = ""
	}
	if metadata.Name == "" && metadata.GenerateName != "" {
		metadata.Name = metadata.GenerateName + "x"
	}
	return metadata
}

// check runs the server's validations in its order: metadata, schema, lists, and, unless something more basic is wrong,
// the rules.
func (s *schema) check(content map[string]any, metadata *metav1.ObjectMeta) (errs field.ErrorList, complete bool) {
	errs = metavalidation.ValidateObjectMeta(metadata, s.namespaced, metavalidation.NameIsDNSSubdomain, field.NewPath("metadata"))
	errs = append(errs, validation.ValidateCustomResource(nil, content, s.openapi)...)
	errs = append(errs, listtype.ValidateListSetsAndMaps(nil, s.structural, content)...)
	if slices.ContainsFunc(errs, blocks) {
		return errs, false
	}
	if s.rules == nil {
		s.rules = cel.NewValidator(s.structural, true, celconfig.PerCallLimit)
	}
	broken, _ := s.rules.Validate(context.Background(), nil, s.structural, content, nil, celconfig.RuntimeCELCostBudget)
	return append(errs, broken...), true
}

// blocks says whether the rules cannot be asked: the object is not of the form that they expect. The server does not ask
// them about an unknown word either, where there is no harm in it, and the author has all errors at once.
func blocks(e *field.Error) bool {
	return slices.Contains([]field.ErrorType{
		field.ErrorTypeRequired, field.ErrorTypeTooLong, field.ErrorTypeTooMany, field.ErrorTypeTypeInvalid,
	}, e.Type)
}

// expectation says what is wrong in the server's words. Only where those are a regular expression for globs, it says what
// that expression means.
func expectation(e *field.Error) string {
	value, isText := e.BadValue.(string)
	if isText && strings.HasSuffix(e.Field, ".pattern") && strings.Contains(e.Detail, "should match") {
		if _, err := glob.Parse(value); err != nil {
			return fmt.Sprintf("Invalid value: %q: %s", value, err)
		}
		return fmt.Sprintf("Invalid value: %q: is no glob that the API server takes: braces nest twice at most, and a set in brackets "+
			"holds neither brackets nor is it empty", value)
	}
	return e.ErrorBody()
}

// fieldOf an error. The library writes <nil> for the whole object, and has some fields in its sentences only.
func fieldOf(e *field.Error) string {
	name := strings.TrimPrefix(e.Field, "<nil>")
	if at := strings.LastIndex(e.Detail, " in spec."); name == "" && at >= 0 {
		return e.Detail[at+len(" in "):]
	}
	return name
}

// selectable adds what no schema can say: a selector that cannot be read selects nothing.
func (d *Document) selectable(object runtime.Object) {
	err := lint.Validate(object)
	if err == nil {
		return
	}
	all := []error{err}
	var joined interface{ Unwrap() []error }
	if errors.As(err, &joined) {
		all = joined.Unwrap()
	}
	for _, one := range all {
		at, message, found := strings.Cut(one.Error(), ": ")
		if !found {
			at, message = "", one.Error()
		}
		d.fail(at, message)
	}
}

// expected names the fields that may stand beside an unknown one.
func (s *schema) expected(path string) string {
	at := s.structural
	parts := strings.Split(path, ".")
	for _, part := range parts[:len(parts)-1] {
		name, index, isItem := strings.Cut(part, "[")
		next, found := at.Properties[name]
		if !found {
			return "see the reference of the kind"
		}
		at = &next
		for range strings.Count(index, "]") {
			if isItem && at.Items != nil {
				at = at.Items
			}
		}
	}
	names := make([]string, 0, len(at.Properties))
	for name := range at.Properties {
		names = append(names, name)
	}
	slices.Sort(names)
	return "expected one of " + strings.Join(names, ", ")
}
