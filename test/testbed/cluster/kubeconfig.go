// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
)

// Kubeconfig returns a kubeconfig that holds its certificates itself, so that it works wherever it is copied to.
func Kubeconfig(server string, ca []byte, user string, pair Pair) ([]byte, error) {
	config := api.NewConfig()
	config.Clusters["fleet"] = &api.Cluster{Server: server, CertificateAuthorityData: ca}
	config.AuthInfos[user] = &api.AuthInfo{ClientCertificateData: pair.Cert, ClientKeyData: pair.Key}
	config.Contexts["fleet"] = &api.Context{Cluster: "fleet", AuthInfo: user}
	config.CurrentContext = "fleet"
	return clientcmd.Write(*config)
}
