// SPDX-License-Identifier: Apache-2.0

package render

import (
	"fmt"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	v1 "github.com/kubearmor/kubearmor-operator/api/operator/v1"
)

// AdmissionName of the policy that keeps an agent to its own node.
const AdmissionName = "kubearmor-agent-own-node"

// nodeNameExtra is where the API server puts the node of a Pod whose bound service-account token it verified.
const nodeNameExtra = "authentication.kubernetes.io/node-name"

// agentAdmission lets an agent write the status of one KubeArmorNode: the one named as the node in its token. RBAC
// cannot say that, since every agent shares one account. An agent whose token names no node is refused as well.
func agentAdmission(s Settings) []Object {
	meta := metav1.ObjectMeta{Name: AdmissionName, Labels: ownedLabels(nil)}
	account := fmt.Sprintf("system:serviceaccount:%s:%s", s.Namespace, agentName)
	group := v1.GroupVersion.Group
	return []Object{
		&admissionv1.ValidatingAdmissionPolicy{
			TypeMeta:   metav1.TypeMeta{APIVersion: admissionv1.SchemeGroupVersion.String(), Kind: "ValidatingAdmissionPolicy"},
			ObjectMeta: meta,
			Spec: admissionv1.ValidatingAdmissionPolicySpec{
				FailurePolicy: ptr.To(admissionv1.Fail),
				MatchConstraints: &admissionv1.MatchResources{
					ResourceRules: []admissionv1.NamedRuleWithOperations{{
						RuleWithOperations: admissionv1.RuleWithOperations{
							Operations: []admissionv1.OperationType{admissionv1.Create, admissionv1.Update, admissionv1.Delete},
							Rule: admissionv1.Rule{
								APIGroups:   []string{group},
								APIVersions: []string{v1.GroupVersion.Version},
								Resources:   []string{"kubearmornodes", "kubearmornodes/status"},
							},
						},
					}},
				},
				MatchConditions: []admissionv1.MatchCondition{{
					Name:       "is-agent",
					Expression: fmt.Sprintf("request.userInfo.username == %q", account),
				}},
				Variables: []admissionv1.Variable{{
					Name:       "nodes",
					Expression: fmt.Sprintf("has(request.userInfo.extra) && %[1]q in request.userInfo.extra ? request.userInfo.extra[%[1]q] : []", nodeNameExtra),
				}},
				Validations: []admissionv1.Validation{{
					Expression: "request.operation == 'UPDATE' && request.subResource == 'status' && variables.nodes.size() == 1 && variables.nodes[0] == request.name",
					MessageExpression: "'an agent may write only the status of its own node: this token is of node ' + " +
						"(variables.nodes.size() == 1 ? '\"' + variables.nodes[0] + '\"' : '(none)') + " +
						"', the object is ' + request.operation + ' \"' + request.name + '\" ' + request.subResource",
					Message: "an agent may write only the status of its own node",
					Reason:  ptr.To(metav1.StatusReasonForbidden),
				}},
			},
		},
		&admissionv1.ValidatingAdmissionPolicyBinding{
			TypeMeta:   metav1.TypeMeta{APIVersion: admissionv1.SchemeGroupVersion.String(), Kind: "ValidatingAdmissionPolicyBinding"},
			ObjectMeta: meta,
			Spec: admissionv1.ValidatingAdmissionPolicyBindingSpec{
				PolicyName:        AdmissionName,
				ValidationActions: []admissionv1.ValidationAction{admissionv1.Deny},
			},
		},
	}
}
