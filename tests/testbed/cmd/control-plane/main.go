// Command control-plane is etcd, the Kubernetes control plane and a simulated kubelet in one binary.
// The first argument says which of them to be; the rest are the flags of that one.
//
// One binary instead of five, since most of what they link is the same: it is built once and kept in memory once.
package main

import (
	"fmt"
	"os"
	"strings"

	"go.etcd.io/etcd/server/v3/etcdmain"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"

	"hollowtrees.io/testbed/kubelet"
)

const usage = "etcd, kube-apiserver, kube-controller-manager, kube-scheduler, kubelet"

func main() {
	if len(os.Args) < 2 {
		fail("say which part to run: " + usage)
	}
	part := os.Args[1]
	// Each part parses os.Args itself, so it must find there what it would find on its own.
	os.Args = append([]string{part}, os.Args[2:]...)
	switch part {
	case "etcd":
		etcdmain.Main(os.Args)
	case "kube-apiserver":
		os.Exit(cli.Run(apiserver.NewAPIServerCommand()))
	case "kube-controller-manager":
		os.Exit(cli.Run(controllermanager.NewControllerManagerCommand()))
	case "kube-scheduler":
		os.Exit(cli.Run(scheduler.NewSchedulerCommand()))
	case "kubelet":
		if err := kubelet.Main(os.Args[1:]); err != nil {
			fail("kubelet: " + err.Error())
		}
	default:
		fail(fmt.Sprintf("no part %q; there are: %s", part, usage))
	}
}

func fail(message string) {
	fmt.Fprintln(os.Stderr, "control-plane: "+strings.TrimSpace(message))
	os.Exit(1)
}
