// SPDX-License-Identifier: Apache-2.0

package v1

// Protocol of a socket, in any case: tcp, udp, raw, icmp, icmpv6, sctp, stream, dgram, rdm, seqpacket, dccp, packet, all.
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=16
// +kubebuilder:validation:XValidation:rule="self.lowerAscii() in ['tcp','udp','raw','icmp','icmpv6','sctp','stream','dgram','rdm','seqpacket','dccp','packet','all']",message="unknown protocol; use one of tcp, udp, raw, icmp, icmpv6, sctp, stream, dgram, rdm, seqpacket, dccp, packet, all (any case)"
type Protocol string

// Network holds the rules on sockets and on names that are resolved.
type Network struct {
	Report `json:",inline"`
	// MatchProtocols by the socket's protocol or type.
	// +kubebuilder:validation:MaxItems=1024
	// +listType=atomic
	// +optional
	MatchProtocols []NetworkProtocol `json:"matchProtocols,omitempty"`
	// MatchDNSQueries by the name that is looked up.
	// +kubebuilder:validation:MaxItems=4096
	// +listType=atomic
	// +optional
	MatchDNSQueries []DNSQuery `json:"matchDNSQueries,omitempty"`
}

// NetworkProtocol matches sockets of one protocol.
type NetworkProtocol struct {
	Report `json:",inline"`
	// Protocol in any case.
	Protocol Protocol `json:"protocol"`
	// PTS false denies when a terminal is attached.
	// +optional
	PTS *bool `json:"pts,omitempty"`
	// FromSource narrows the rule to sockets of these executables.
	// +kubebuilder:validation:MaxItems=128
	// +listType=atomic
	// +optional
	FromSource []MatchSource `json:"fromSource,omitempty"`
}

// DNSQuery matches the resolution of one name.
type DNSQuery struct {
	Report `json:",inline"`
	// Domain that is looked up, without the final dot.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="!self.contains('/') && !self.contains(':') && !self.contains(' ')",message="a domain is a name such as example.com, without scheme, port or path"
	Domain string `json:"domain"`
	// FromSource narrows the rule to queries by these executables.
	// +kubebuilder:validation:MaxItems=128
	// +listType=atomic
	// +optional
	FromSource []MatchSource `json:"fromSource,omitempty"`
}
