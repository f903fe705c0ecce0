// SPDX-License-Identifier: Apache-2.0

package v1

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Posture is what happens to an operation that an allow-list does not name.
// +kubebuilder:validation:Enum=allow;audit;block
type Posture string

// The postures.
const (
	PostureAllow Posture = "allow"
	PostureAudit Posture = "audit"
	PostureBlock Posture = "block"
)

// KubeArmorConfigSpec declares the fleet. Every field is optional. Fields that have no effect yet are accepted, so that
// existing objects apply, and are named in the condition FieldsIgnored.
type KubeArmorConfigSpec struct {
	// DefaultFilePosture of file and process allow-lists; audit when empty.
	// +optional
	DefaultFilePosture Posture `json:"defaultFilePosture,omitempty"`
	// DefaultCapabilitiesPosture of capability allow-lists; audit when empty.
	// +optional
	DefaultCapabilitiesPosture Posture `json:"defaultCapabilitiesPosture,omitempty"`
	// DefaultNetworkPosture of network allow-lists; audit when empty.
	// +optional
	DefaultNetworkPosture Posture `json:"defaultNetworkPosture,omitempty"`
	// HostDefaultFilePosture is DefaultFilePosture of host policies.
	// +optional
	HostDefaultFilePosture Posture `json:"hostDefaultFilePosture,omitempty"`
	// HostDefaultCapabilitiesPosture is DefaultCapabilitiesPosture of host policies.
	// +optional
	HostDefaultCapabilitiesPosture Posture `json:"hostDefaultCapabilitiesPosture,omitempty"`
	// HostDefaultNetworkPosture is DefaultNetworkPosture of host policies.
	// +optional
	HostDefaultNetworkPosture Posture `json:"hostDefaultNetworkPosture,omitempty"`
	// DefaultVisibility is a comma-separated list of process, file, network, capabilities, dns, ima; or none.
	// +kubebuilder:validation:Pattern=`^$|^(process|file|network|capabilities|dns|ima|none)(,(process|file|network|capabilities|dns|ima|none))*$`
	// +kubebuilder:validation:MaxLength=128
	// +optional
	DefaultVisibility string `json:"defaultVisibility,omitempty"`
	// RecommendedPolicies that come with the product.
	// +optional
	RecommendedPolicies *RecommendedPolicies `json:"recommendedPolicies,omitempty"`

	// GlobalImagePullSecrets of every Pod of ours.
	// +kubebuilder:validation:MaxItems=32
	// +listType=atomic
	// +optional
	GlobalImagePullSecrets []corev1.LocalObjectReference `json:"globalImagePullSecrets,omitempty"`
	// GlobalTolerations of every Pod of ours, beside those of its component. Agents tolerate everything anyway.
	// +kubebuilder:validation:MaxItems=64
	// +listType=atomic
	// +optional
	GlobalTolerations []corev1.Toleration `json:"globalTolerations,omitempty"`
	// GlobalNodeSelector of every Pod of ours; a node that it leaves out is not managed.
	// +optional
	GlobalNodeSelector map[string]string `json:"globalNodeSelector,omitempty"`
	// GlobalEnv of every container of ours.
	// +kubebuilder:validation:MaxItems=64
	// +listType=atomic
	// +optional
	GlobalEnv []corev1.EnvVar `json:"globalEnv,omitempty"`

	// KubeArmorImage is the agent's. Precedence: this, env RELATED_IMAGE_KUBEARMOR, built-in.
	// +optional
	KubeArmorImage ImageSpec `json:"kubearmorImage,omitzero"`
	// KubeArmorInitImage has no effect: the agent needs no init container.
	//
	// Deprecated: accepted for existing objects.
	// +optional
	KubeArmorInitImage ImageSpec `json:"kubearmorInitImage,omitzero"`
	// KubeArmorRelayImage is the relay's.
	// +optional
	KubeArmorRelayImage ImageSpec `json:"kubearmorRelayImage,omitzero"`
	// KubeArmorControllerImage is the webhook's.
	// +optional
	KubeArmorControllerImage ImageSpec `json:"kubearmorControllerImage,omitzero"`
	// KubeRbacProxyImage has no effect: metrics are protected by the operator itself.
	//
	// Deprecated: accepted for existing objects.
	// +optional
	KubeRbacProxyImage ImageSpec `json:"kubeRbacProxyImage,omitzero"`

	// TLS between agents, relay and clients.
	// +optional
	TLS TLSSpec `json:"tls,omitzero"`
	// EnableStdOutLogs writes every log line to the agent's standard output.
	// +optional
	EnableStdOutLogs bool `json:"enableStdOutLogs,omitempty"`
	// EnableStdOutAlerts writes every alert to the agent's standard output.
	// +optional
	EnableStdOutAlerts bool `json:"enableStdOutAlerts,omitempty"`
	// EnableStdOutMsgs writes every message to the agent's standard output.
	// +optional
	EnableStdOutMsgs bool `json:"enableStdOutMsgs,omitempty"`
	// SeccompEnabled gives agents a seccomp profile.
	// +optional
	SeccompEnabled bool `json:"seccompEnabled,omitempty"`
	// EnableNRI holds containers by the runtime's NRI until their policies are in force.
	// +optional
	EnableNRI bool `json:"enableNRI,omitempty"`
	// AlertThrottling limits alerts by container.
	// +optional
	AlertThrottling bool `json:"alertThrottling,omitempty"`
	// MaxAlertPerSec by container when alertThrottling is on; 10 when empty.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000000
	// +optional
	MaxAlertPerSec int32 `json:"maxAlertPerSec,omitempty"`
	// ThrottleSec is how long, in seconds, alerts are dropped once over the limit; 30 when empty.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=86400
	// +optional
	ThrottleSec int32 `json:"throttleSec,omitempty"`
	// ControllerPort of the webhook.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=65535
	// +optional
	ControllerPort int32 `json:"controllerPort,omitempty"`
	// DropResourceFromProcessLogs leaves the resource out of process logs.
	// +optional
	DropResourceFromProcessLogs bool `json:"dropResourceFromProcessLogs,omitempty"`
	// MatchArgs lets process rules look at arguments.
	// +optional
	MatchArgs bool `json:"matchArgs,omitempty"`
	// Adapters that alerts and logs are sent to.
	// +optional
	Adapters Adapters `json:"adapters,omitzero"`
}

// RecommendedPolicies selects policies that come with the product.
type RecommendedPolicies struct {
	// +optional
	Enable bool `json:"enable,omitempty"`
	// +kubebuilder:validation:MaxItems=64
	// +listType=atomic
	// +optional
	MatchExpressions []MatchExpression `json:"matchExpressions,omitempty"`
	// ExcludePolicy names policies to leave out.
	// +kubebuilder:validation:MaxItems=256
	// +listType=atomic
	// +optional
	ExcludePolicy []string `json:"excludePolicy,omitempty"`
}

// MatchExpression selects by namespace or label.
type MatchExpression struct {
	// +kubebuilder:validation:Enum=namespace;label
	Key string `json:"key"`
	// +kubebuilder:validation:Enum=In;NotIn
	Operator string `json:"operator"`
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=256
	// +listType=atomic
	Values []string `json:"values"`
}

// ImageSpec is the image of one component and what only that component gets.
type ImageSpec struct {
	// Image by tag or digest.
	// +kubebuilder:validation:MaxLength=512
	// +optional
	Image string `json:"image,omitempty"`
	// +kubebuilder:validation:Enum=Always;IfNotPresent;Never;""
	// +optional
	ImagePullPolicy corev1.PullPolicy `json:"imagePullPolicy,omitempty"`
	// +kubebuilder:validation:MaxItems=32
	// +listType=atomic
	// +optional
	ImagePullSecrets []corev1.LocalObjectReference `json:"imagePullSecrets,omitempty"`
	// Args appended to the component's own.
	// +kubebuilder:validation:MaxItems=64
	// +listType=atomic
	// +optional
	Args []string `json:"args,omitempty"`
	// +kubebuilder:validation:MaxItems=64
	// +listType=atomic
	// +optional
	Env []corev1.EnvVar `json:"env,omitempty"`
	// +optional
	NodeSelector map[string]string `json:"nodeSelector,omitempty"`
	// +kubebuilder:validation:MaxItems=64
	// +listType=atomic
	// +optional
	Tolerations []corev1.Toleration `json:"tolerations,omitempty"`
}

// TLSSpec of the telemetry streams.
type TLSSpec struct {
	// +optional
	Enable bool `json:"enable,omitempty"`
	// +kubebuilder:validation:MaxItems=64
	// +listType=atomic
	// +optional
	ExtraDNSNames []string `json:"extraDnsNames,omitempty"`
	// +kubebuilder:validation:MaxItems=64
	// +listType=atomic
	// +optional
	ExtraIPAddresses []string `json:"extraIpAddresses,omitempty"`
}

// Adapters are sinks of the relay.
type Adapters struct {
	// +optional
	Elasticsearch ElasticsearchAdapter `json:"elasticsearch,omitzero"`
}

// ElasticsearchAdapter sends alerts to an index.
type ElasticsearchAdapter struct {
	// +optional
	Enabled bool `json:"enabled,omitempty"`
	// +kubebuilder:validation:MaxLength=2048
	// +optional
	URL string `json:"url,omitempty"`
	// +kubebuilder:validation:MaxLength=255
	// +optional
	AlertsIndexName string `json:"alertsIndex,omitempty"`
	// Auth names the Secret that holds the credentials.
	// +optional
	Auth ElasticsearchAuth `json:"auth,omitzero"`
}

// ElasticsearchAuth refers to a Secret by name and keys; no credential is in the object itself.
type ElasticsearchAuth struct {
	// +optional
	SecretName string `json:"secretName,omitempty"`
	// +optional
	UsernameKey string `json:"usernameKey,omitempty"`
	// +optional
	PasswordKey string `json:"passwordKey,omitempty"`
	// +optional
	AllowTLSInsecure bool `json:"allowTlsInsecure,omitempty"`
	// +optional
	CASecretName string `json:"caCertSecretName,omitempty"`
	// +optional
	CACertKey string `json:"caCertKey,omitempty"`
}

// KubeArmorConfigStatus is O(1) in the number of nodes.
type KubeArmorConfigStatus struct {
	// Phase for older clients, computed from the conditions: Running, Pending, Deleting or Error.
	// +optional
	Phase string `json:"phase,omitempty"`
	// Message for older clients, computed from the conditions.
	// +optional
	Message string `json:"message,omitempty"`
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// Conditions: Ready, NodesDetected, Enforcing, RolloutComplete, FieldsIgnored, Conflict.
	// +listType=map
	// +listMapKey=type
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// Nodes counted by what became of them.
	// +optional
	Nodes NodeCounts `json:"nodes,omitzero"`
	// Pools, one line each, by name; at most 64, poolsOmitted counts the rest.
	// +kubebuilder:validation:MaxItems=64
	// +listType=map
	// +listMapKey=name
	// +optional
	Pools []PoolStatus `json:"pools,omitempty"`
	// +optional
	PoolsOmitted int32 `json:"poolsOmitted,omitempty"`
	// FailingNodes are the first 20, by name, that do not enforce.
	// +kubebuilder:validation:MaxItems=20
	// +listType=map
	// +listMapKey=name
	// +optional
	FailingNodes []FailingNode `json:"failingNodes,omitempty"`
}

// NodeCounts counts the cluster's nodes.
type NodeCounts struct {
	// Total of nodes that the selectors admit, of every operating system.
	Total int32 `json:"total"`
	// Detected have facts of their present boot, kernel, runtime and image.
	Detected int32 `json:"detected"`
	// Enforcing deny, and say so themselves.
	Enforcing int32 `json:"enforcing"`
	// Degraded are Linux nodes that do not enforce, or not all of their policies.
	Degraded int32 `json:"degraded"`
	// Unsupported are not Linux.
	Unsupported int32 `json:"unsupported"`
}

// PoolStatus is one DaemonSet and its nodes.
type PoolStatus struct {
	// +kubebuilder:validation:MaxLength=63
	Name     string   `json:"name"`
	Enforcer Enforcer `json:"enforcer"`
	// +optional
	Arch string `json:"arch,omitempty"`
	// Nodes that belong to the pool.
	Nodes int32 `json:"nodes"`
	// Ready agents.
	Ready int32 `json:"ready"`
	// Enforcing nodes.
	Enforcing int32 `json:"enforcing"`
	// +optional
	Image string `json:"image,omitempty"`
}

// FailingNode is a node that does not enforce.
type FailingNode struct {
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
	// +kubebuilder:validation:MaxLength=64
	Reason string `json:"reason"`
	// +kubebuilder:validation:MaxLength=512
	// +optional
	Message string `json:"message,omitempty"`
}

// KubeArmorConfig declares the fleet of one cluster. The oldest one counts; any other gets the condition Conflict.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Namespaced,shortName=kac
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Nodes",type=integer,JSONPath=`.status.nodes.total`
// +kubebuilder:printcolumn:name="Enforcing",type=integer,JSONPath=`.status.nodes.enforcing`
// +kubebuilder:printcolumn:name="Degraded",type=integer,JSONPath=`.status.nodes.degraded`
// +kubebuilder:printcolumn:name="Reason",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.message`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type KubeArmorConfig struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// +optional
	Spec KubeArmorConfigSpec `json:"spec,omitzero"`
	// +optional
	Status KubeArmorConfigStatus `json:"status,omitzero"`
}

// KubeArmorConfigList is a list of KubeArmorConfig.
//
// +kubebuilder:object:root=true
type KubeArmorConfigList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`
	Items           []KubeArmorConfig `json:"items"`
}
