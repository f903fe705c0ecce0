# SPDX-License-Identifier: Apache-2.0
#
# Each image holds one static binary, built by `make build` for every architecture:
#   buildah bud --isolation chroot --target agent --build-arg TARGETARCH=arm64 -t kubearmor .
# Nothing is downloaded and nothing is run while they are built. What may be written is mounted: an emptyDir at /tmp.

FROM scratch AS agent
ARG TARGETARCH=amd64
ARG VERSION=dev
LABEL org.opencontainers.image.title="KubeArmor" \
      org.opencontainers.image.description="Confines the workloads of one node" \
      org.opencontainers.image.source="https://github.com/kubearmor/kubearmor-operator" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}"
COPY bin/${TARGETARCH}/agent /agent
USER 0:0
ENTRYPOINT ["/agent"]

FROM scratch AS operator
ARG TARGETARCH=amd64
ARG VERSION=dev
LABEL org.opencontainers.image.title="KubeArmor Operator" \
      org.opencontainers.image.description="Gives every node the enforcer that it can run" \
      org.opencontainers.image.source="https://github.com/kubearmor/kubearmor-operator" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}"
COPY bin/${TARGETARCH}/operator /operator
USER 65532:65532
ENTRYPOINT ["/operator"]

FROM scratch AS relay
ARG TARGETARCH=amd64
ARG VERSION=dev
LABEL org.opencontainers.image.title="KubeArmor Relay" \
      org.opencontainers.image.description="One stream of alerts, logs and messages for the whole cluster" \
      org.opencontainers.image.source="https://github.com/kubearmor/kubearmor-operator" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}"
COPY bin/${TARGETARCH}/relay /relay
USER 65532:65532
ENTRYPOINT ["/relay"]
