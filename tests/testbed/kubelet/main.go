// Package kubelet is a simulated kubelet for all nodes of a cluster at once.
//
// It makes nodes ready, runs the pods that are bound to them, and ends the ones that are deleted, in the order and
// with the timing of a real kubelet, as far as the API shows it. No container runs. What a node or pod does is said by
// annotations, see annotations.go.
package kubelet

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// Main runs it until it is told to end.
func Main(args []string) error {
	flags := flag.NewFlagSet("kubelet", flag.ExitOnError)
	kubeconfig := flags.String("kubeconfig", "", "how to reach the API server")
	listen := flags.String("listen", "", "address that answers 200 to any request once the caches are filled")
	exitAfter := flags.Duration("exit-after", 0, "how long a pod takes to end unless its annotation says otherwise")
	workers := flags.Int("workers", 32, "requests at a time")
	if err := flags.Parse(args); err != nil {
		return err
	}
	config, err := clientcmd.BuildConfigFromFlags("", *kubeconfig)
	if err != nil {
		return fmt.Errorf("kubeconfig %q: %w", *kubeconfig, err)
	}
	// It stands for many kubelets, each of which would have a limit of its own.
	config.QPS = -1
	config.ContentConfig = rest.ContentConfig{
		ContentType:        "application/vnd.kubernetes.protobuf",
		AcceptContentTypes: "application/vnd.kubernetes.protobuf,application/json",
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	kubelet, err := newKubelet(client, *exitAfter)
	if err != nil {
		return err
	}
	if err := kubelet.start(ctx, *workers); err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, "kubelet: caches are filled")
	if *listen != "" {
		server := &http.Server{
			Addr:              *listen,
			Handler:           http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}),
			ReadHeaderTimeout: 10 * time.Second,
		}
		failed := make(chan error, 1)
		go func() { failed <- server.ListenAndServe() }()
		select {
		case err := <-failed:
			return err
		case <-ctx.Done():
		}
	}
	<-ctx.Done()
	kubelet.queue.ShutDown()
	return nil
}
