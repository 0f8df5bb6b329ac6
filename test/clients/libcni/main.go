// Runs one verb of the CNI specification on a network configuration list by upstream's libcni. The request is a JSON
// object on stdin, see type request; the answer is one on stdout, see type answer. Status 1 when it holds an error.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"

	"github.com/containernetworking/cni/libcni"
	"github.com/containernetworking/cni/pkg/types"
)

type attachment struct {
	ContainerID string `json:"containerID"`
	IfName      string `json:"ifName"`
}

type request struct {
	attachment
	Verb           string                 `json:"verb"`
	ConfList       json.RawMessage        `json:"confList"`
	BinDirs        []string               `json:"binDirs"`
	CacheDir       string                 `json:"cacheDir"`
	NetNS          string                 `json:"netns"`
	Args           [][2]string            `json:"args"`
	CapabilityArgs map[string]interface{} `json:"capabilityArgs"`
	// What gc keeps.
	Keep []attachment `json:"keep"`
}

type answer struct {
	Result types.Result `json:"result,omitempty"`
	Error  *types.Error `json:"error,omitempty"`
}

type verb func(context.Context, libcni.CNI, *libcni.NetworkConfigList, *libcni.RuntimeConf, request) (types.Result, error)

var verbs = map[string]verb{
	"add": func(ctx context.Context, cni libcni.CNI, list *libcni.NetworkConfigList, rt *libcni.RuntimeConf, _ request) (types.Result, error) {
		return cni.AddNetworkList(ctx, list, rt)
	},
	"check": func(ctx context.Context, cni libcni.CNI, list *libcni.NetworkConfigList, rt *libcni.RuntimeConf, _ request) (types.Result, error) {
		return nil, cni.CheckNetworkList(ctx, list, rt)
	},
	"del": func(ctx context.Context, cni libcni.CNI, list *libcni.NetworkConfigList, rt *libcni.RuntimeConf, _ request) (types.Result, error) {
		return nil, cni.DelNetworkList(ctx, list, rt)
	},
}

func run() (types.Result, error) {
	var req request
	if err := json.NewDecoder(os.Stdin).Decode(&req); err != nil {
		return nil, err
	}
	list, err := libcni.ConfListFromBytes(req.ConfList)
	if err != nil {
		return nil, err
	}
	do, known := verbs[req.Verb]
	if !known {
		return nil, errors.New("this libcni has no verb " + req.Verb)
	}
	rt := &libcni.RuntimeConf{
		ContainerID: req.ContainerID, NetNS: req.NetNS, IfName: req.IfName, Args: req.Args, CapabilityArgs: req.CapabilityArgs,
	}
	return do(context.Background(), libcni.NewCNIConfigWithCacheDir(req.BinDirs, req.CacheDir, nil), list, rt, req)
}

// asError keeps the error a plugin printed; code 0 stands for one of libcni itself, or several joined.
func asError(err error) *types.Error {
	var plugin *types.Error
	if direct, is := err.(*types.Error); is {
		return direct
	}
	if errors.As(err, &plugin) {
		return &types.Error{Code: plugin.Code, Msg: err.Error(), Details: plugin.Details}
	}
	return &types.Error{Msg: err.Error()}
}

func main() {
	result, err := run()
	out := json.NewEncoder(os.Stdout)
	if err != nil {
		out.Encode(answer{Error: asError(err)})
		os.Exit(1)
	}
	out.Encode(answer{Result: result})
}
