//go:build libcni12

// The verbs of specification 1.1, which libcni has from 1.2 on.
package main

import (
	"context"

	"github.com/containernetworking/cni/libcni"
	"github.com/containernetworking/cni/pkg/types"
)

func init() {
	verbs["status"] = func(ctx context.Context, cni libcni.CNI, list *libcni.NetworkConfigList, _ *libcni.RuntimeConf, _ request) (types.Result, error) {
		return nil, cni.GetStatusNetworkList(ctx, list)
	}
	verbs["gc"] = func(ctx context.Context, cni libcni.CNI, list *libcni.NetworkConfigList, _ *libcni.RuntimeConf, req request) (types.Result, error) {
		keep := &libcni.GCArgs{ValidAttachments: []types.GCAttachment{}}
		for _, one := range req.Keep {
			keep.ValidAttachments = append(keep.ValidAttachments, types.GCAttachment{ContainerID: one.ContainerID, IfName: one.IfName})
		}
		return nil, cni.GCNetworkList(ctx, list, keep)
	}
}
