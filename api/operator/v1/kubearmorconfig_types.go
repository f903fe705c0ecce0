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
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:XValidation:rule="self == '' || self.matches('^ *(process|file|network|capabilities|dns|ima|none) *(, *(process|file|network|capabilities|dns|ima|none) *)*$')",message="unknown visibility; write a comma-separated list of process, file, network, capabilities, dns, ima, or none"
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
	// KubeArmorRelayImage is the relay's. Precedence: this, env RELATED_IMAGE_KUBEARMOR_RELAY_SERVER, built-in.
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
	// MaxAlertPerSec by container when alertThrottling is on; 10 when empty or 0.
	// +kubebuilder:validation:XValidation:rule="self >= 0 && self <= 1000000",message="maxAlertPerSec must be between 0 and 1000000; leave it out for the default of 10"
	// +optional
	MaxAlertPerSec int32 `json:"maxAlertPerSec,omitempty"`
	// ThrottleSec is how long, in seconds, alerts are dropped once over the limit; 30 when empty or 0.
	// +kubebuilder:validation:XValidation:rule="self >= 0 && self <= 86400",message="throttleSec must be between 0 and 86400 seconds; leave it out for the default of 30"
	// +optional
	ThrottleSec int32 `json:"throttleSec,omitempty"`
	// ControllerPort of the webhook.
	// +kubebuilder:validation:XValidation:rule="self >= 0 && self <= 65535",message="controllerPort must be a port between 1 and 65535; leave it out for the default"
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
	// Enable them.
	// +optional
	Enable bool `json:"enable,omitempty"`
	// MatchExpressions narrow them to Pods by namespace or label; all must hold.
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
	// Key is namespace or label.
	// +kubebuilder:validation:Enum=namespace;label
	Key string `json:"key"`
	// Operator is In or NotIn.
	// +kubebuilder:validation:Enum=In;NotIn
	Operator string `json:"operator"`
	// Values: names of namespaces, or labels as key=value.
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
	// ImagePullPolicy as in a container; the API server's default when empty.
	// +kubebuilder:validation:Enum=Always;IfNotPresent;Never;""
	// +optional
	ImagePullPolicy corev1.PullPolicy `json:"imagePullPolicy,omitempty"`
	// ImagePullSecrets beside the global ones.
	// +kubebuilder:validation:MaxItems=32
	// +listType=atomic
	// +optional
	ImagePullSecrets []corev1.LocalObjectReference `json:"imagePullSecrets,omitempty"`
	// Args have no effect on agent and relay: those of existing objects are flags of other programs.
	// +kubebuilder:validation:MaxItems=64
	// +listType=atomic
	// +optional
	Args []string `json:"args,omitempty"`
	// Env beside the global ones.
	// +kubebuilder:validation:MaxItems=64
	// +listType=atomic
	// +optional
	Env []corev1.EnvVar `json:"env,omitempty"`
	// NodeSelector beside the global one.
	// +optional
	NodeSelector map[string]string `json:"nodeSelector,omitempty"`
	// Tolerations beside the global ones.
	// +kubebuilder:validation:MaxItems=64
	// +listType=atomic
	// +optional
	Tolerations []corev1.Toleration `json:"tolerations,omitempty"`
}

// TLSSpec of the telemetry streams.
type TLSSpec struct {
	// Enable mTLS for the relay's clients; on unless false. With false the relay also lets in clients that know no TLS, and so
	// nobody knows who they are. Between relay and agents mTLS is always on.
	// +optional
	Enable *bool `json:"enable,omitempty"`
	// ExtraDNSNames of the relay's certificate.
	// +kubebuilder:validation:MaxItems=64
	// +listType=atomic
	// +optional
	ExtraDNSNames []string `json:"extraDnsNames,omitempty"`
	// ExtraIPAddresses of the relay's certificate.
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self.all(a, a.matches('^[0-9a-fA-F:.]+$'))",message="extraIpAddresses are IPv4 or IPv6 addresses such as 10.0.0.1; put names into extraDnsNames"
	// +listType=atomic
	// +optional
	ExtraIPAddresses []string `json:"extraIpAddresses,omitempty"`
}

// Adapters are sinks of the relay.
type Adapters struct {
	// Elasticsearch receives the alerts.
	// +optional
	Elasticsearch ElasticsearchAdapter `json:"elasticsearch,omitzero"`
}

// ElasticsearchAdapter sends alerts to an index.
//
// +kubebuilder:validation:XValidation:rule="!has(self.alertsIndex) || !has(self.alertsIndexName) || self.alertsIndex == self.alertsIndexName",message="alertsIndex and alertsIndexName are two spellings of one field; keep alertsIndex"
type ElasticsearchAdapter struct {
	// Enabled sends alerts there.
	// +optional
	Enabled bool `json:"enabled,omitempty"`
	// URL of the Elasticsearch service.
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule="self == '' || self.startsWith('http://') || self.startsWith('https://')",message="url must start with http:// or https://, for instance https://elastic.logging.svc:9200"
	// +optional
	URL string `json:"url,omitempty"`
	// AlertsIndex that alerts are written to.
	// +kubebuilder:validation:MaxLength=255
	// +optional
	AlertsIndex string `json:"alertsIndex,omitempty"`
	// AlertsIndexName is an older spelling of alertsIndex.
	// +kubebuilder:validation:MaxLength=255
	// +optional
	AlertsIndexName string `json:"alertsIndexName,omitempty"`
	// Auth names the Secret that holds the credentials.
	// +optional
	Auth ElasticsearchAuth `json:"auth,omitzero"`
}

// ElasticsearchAuth refers to a Secret by name and keys; no credential is in the object itself.
type ElasticsearchAuth struct {
	// SecretName of the Secret with the credentials, in the namespace of the KubeArmorConfig.
	// +optional
	SecretName string `json:"secretName,omitempty"`
	// UsernameKey in that Secret.
	// +optional
	UsernameKey string `json:"usernameKey,omitempty"`
	// PasswordKey in that Secret.
	// +optional
	PasswordKey string `json:"passwordKey,omitempty"`
	// AllowTLSInsecure accepts any certificate of the service.
	// +optional
	AllowTLSInsecure bool `json:"allowTlsInsecure,omitempty"`
	// CASecretName of the Secret with the CA certificate.
	// +optional
	CASecretName string `json:"caCertSecretName,omitempty"`
	// CACertKey in that Secret.
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
	// ObservedGeneration of the spec that this status is of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// Conditions: Ready, NodesDetected, Enforcing, RolloutComplete, RelayReady, CertificatesValid, FieldsIgnored, Conflict.
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
	// PoolsOmitted counts what the bound on pools left out.
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
	// Name of the pool: the value of the node label kubearmor.io/pool.
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name"`
	// Enforcer that its nodes are given.
	Enforcer Enforcer `json:"enforcer"`
	// Arch of its nodes, in Go's names.
	// +optional
	Arch string `json:"arch,omitempty"`
	// Nodes that belong to the pool.
	Nodes int32 `json:"nodes"`
	// Ready agents.
	Ready int32 `json:"ready"`
	// Enforcing nodes.
	Enforcing int32 `json:"enforcing"`
	// Image of its agents.
	// +optional
	Image string `json:"image,omitempty"`
}

// FailingNode is a node that does not enforce.
type FailingNode struct {
	// Name of the node.
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
	// Reason is a typed reason of this package.
	// +kubebuilder:validation:MaxLength=64
	Reason string `json:"reason"`
	// Message says what to do about it.
	// +kubebuilder:validation:MaxLength=512
	// +optional
	Message string `json:"message,omitempty"`
}

// KubeArmorConfig declares the fleet of one cluster. The oldest one counts; any other gets the condition Conflict.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Namespaced,shortName=kac,categories=kubearmor
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

	// Spec is the user's.
	// +optional
	Spec KubeArmorConfigSpec `json:"spec,omitzero"`
	// Status is the operator's.
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
