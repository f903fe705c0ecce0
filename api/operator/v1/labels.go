// SPDX-License-Identifier: Apache-2.0

package v1

// Labels, annotations and names that clients and dashboards rely on.
const (
	// LabelApp marks every Pod of ours by its role.
	LabelApp = "kubearmor-app"
	// LabelManagedBy and ManagedBy mark every object that the operator owns, whatever its namespace.
	LabelManagedBy = "app.kubernetes.io/managed-by"
	ManagedBy      = "kubearmor-operator"

	// Values of LabelApp.
	AppAgent    = "kubearmor"
	AppOperator = "kubearmor-operator"
	AppRelay    = "kubearmor-relay"
	AppWebhook  = "kubearmor-controller"
	AppProbe    = "kubearmor-snitch"

	// Node labels.
	LabelPool       = "kubearmor.io/pool"
	LabelEnforcer   = "kubearmor.io/enforcer"
	LabelRuntime    = "kubearmor.io/runtime"
	LabelSocket     = "kubearmor.io/socket"
	LabelNRISocket  = "kubearmor.io/nri-socket"
	LabelBTF        = "kubearmor.io/btf"
	LabelSeccomp    = "kubearmor.io/seccomp"
	LabelAppArmorFS = "kubearmor.io/apparmorfs"
	LabelSecurityFS = "kubearmor.io/securityfs"

	// LabelContainerName in a policy's matchLabels narrows it to containers of a Pod.
	LabelContainerName = "kubearmor.io/container.name"

	// AnnotationPolicy on a Pod or node: enabled, disabled or audited.
	AnnotationPolicy = "kubearmor-policy"
	// AnnotationVisibility on a namespace, Pod or node.
	AnnotationVisibility = "kubearmor-visibility"
	// Posture annotations of a namespace.
	AnnotationFilePosture         = "kubearmor-file-posture"
	AnnotationNetworkPosture      = "kubearmor-network-posture"
	AnnotationCapabilitiesPosture = "kubearmor-capabilities-posture"

	// ConfigMapName is read live by agents.
	ConfigMapName = "kubearmor-config"
	// FinalizerUninstall holds a KubeArmorConfig until every node is clean.
	FinalizerUninstall = "operator.kubearmor.com/uninstall"
	// FinalizerDetach holds a KubeArmorNode until its agent left the node's kernel, or nobody is there to ask.
	FinalizerDetach = "operator.kubearmor.com/detach"
	// AgentServiceAccount is the name that the ValidatingAdmissionPolicy knows agents by.
	AgentServiceAccount = "kubearmor-agent"
	// RelayServiceAccount is also the name of the relay's Deployment, role and budget.
	RelayServiceAccount = "kubearmor-relay"
	// RelayService is what clients connect to, and a name in the relay's certificate; AgentServerName is the one in agents'.
	RelayService    = "kubearmor"
	AgentServerName = "kubearmor-agent"
	// Secrets of the operator's own certificates. The authority's stays with the operator; clients' is for whoever may see
	// alerts.
	SecretAuthority = "kubearmor-ca"
	SecretAgent     = "kubearmor-agent-certs"
	SecretRelay     = "kubearmor-relay-certs"
	SecretClient    = "kubearmor-client-certs"
	// PinPath is where the agent pins the core's programs, links and maps, on the host.
	PinPath = "/sys/fs/bpf/kubearmor"
)
