package kubelet

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
)

const podsByNode = "node"

// key names a node (no namespace) or a pod.
type key struct{ namespace, name string }

// kubelet keeps one queue of nodes and pods that are due for a look; the queue's heap is all there is of timers.
type kubelet struct {
	client    kubernetes.Interface
	nodes     cache.SharedIndexInformer
	pods      cache.SharedIndexInformer
	informers informers.SharedInformerFactory
	queue     workqueue.TypedRateLimitingInterface[key]
	exitAfter time.Duration

	mu    sync.Mutex
	known map[types.UID]*life
	ips   uint32
}

func newKubelet(client kubernetes.Interface, exitAfter time.Duration) (*kubelet, error) {
	factory := informers.NewSharedInformerFactoryWithOptions(client, 0, informers.WithTransform(trim))
	k := &kubelet{
		client:    client,
		informers: factory,
		nodes:     factory.Core().V1().Nodes().Informer(),
		pods:      factory.Core().V1().Pods().Informer(),
		queue: workqueue.NewTypedRateLimitingQueue(
			workqueue.NewTypedItemExponentialFailureRateLimiter[key](50*time.Millisecond, 5*time.Second)),
		exitAfter: exitAfter,
		known:     map[types.UID]*life{},
	}
	byNode := func(object any) ([]string, error) {
		if pod, ok := object.(*corev1.Pod); ok && pod.Spec.NodeName != "" {
			return []string{pod.Spec.NodeName}, nil
		}
		return nil, nil
	}
	if err := k.pods.AddIndexers(cache.Indexers{podsByNode: byNode}); err != nil {
		return nil, err
	}
	_, podErr := k.pods.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    k.podChanged,
		UpdateFunc: func(_, object any) { k.podChanged(object) },
		DeleteFunc: k.podGone,
	})
	_, nodeErr := k.nodes.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    k.nodeChanged,
		UpdateFunc: k.nodeUpdated,
	})
	return k, errors.Join(podErr, nodeErr)
}

// trim drops what the simulation never reads, which is most of an object.
func trim(object any) (any, error) {
	switch object := object.(type) {
	case *corev1.Pod:
		object.ManagedFields = nil
		object.Spec.Volumes = nil
		object.Spec.Tolerations = nil
		object.Spec.Affinity = nil
		for i := range object.Spec.Containers {
			container := &object.Spec.Containers[i]
			*container = corev1.Container{Name: container.Name, Image: container.Image}
		}
	case *corev1.Node:
		object.ManagedFields = nil
		object.Status.Images = nil
	}
	return object, nil
}

func (k *kubelet) start(ctx context.Context, workers int) error {
	k.informers.Start(ctx.Done())
	if !cache.WaitForCacheSync(ctx.Done(), k.nodes.HasSynced, k.pods.HasSynced) {
		return errors.New("ended before the caches were filled")
	}
	for range workers {
		go k.work(ctx)
	}
	return nil
}

func (k *kubelet) work(ctx context.Context) {
	for {
		item, shutdown := k.queue.Get()
		if shutdown {
			return
		}
		again, err := k.look(ctx, item)
		switch {
		case err != nil && ctx.Err() == nil && !apierrors.IsNotFound(err):
			fmt.Fprintf(os.Stderr, "kubelet: %s/%s: %v\n", item.namespace, item.name, err)
			k.queue.AddRateLimited(item)
		case again != nil:
			k.queue.Forget(item)
			k.queue.AddAfter(item, *again)
		default:
			k.queue.Forget(item)
		}
		k.queue.Done(item)
	}
}

// look does what is due for a node or pod and says when to look again, if nothing happens before.
func (k *kubelet) look(ctx context.Context, item key) (*time.Duration, error) {
	if item.namespace == "" {
		return k.lookAtNode(ctx, item.name)
	}
	return k.lookAtPod(ctx, item)
}

func (k *kubelet) podChanged(object any) {
	if pod := object.(*corev1.Pod); pod.Spec.NodeName != "" {
		k.queue.Add(key{pod.Namespace, pod.Name})
	}
}

func (k *kubelet) podGone(object any) {
	if unknown, ok := object.(cache.DeletedFinalStateUnknown); ok {
		object = unknown.Obj
	}
	if pod, ok := object.(*corev1.Pod); ok {
		k.mu.Lock()
		defer k.mu.Unlock()
		delete(k.known, pod.UID)
	}
}

func (k *kubelet) nodeChanged(object any) {
	node := object.(*corev1.Node)
	k.queue.Add(key{name: node.Name})
	k.lookAtPodsOf(node.Name)
}

func (k *kubelet) nodeUpdated(before, object any) {
	node := object.(*corev1.Node)
	k.queue.Add(key{name: node.Name})
	if stopped(before.(*corev1.Node)) != stopped(node) {
		k.lookAtPodsOf(node.Name)
	}
}

func (k *kubelet) lookAtPodsOf(node string) {
	pods, err := k.pods.GetIndexer().ByIndex(podsByNode, node)
	if err != nil {
		return
	}
	for _, pod := range pods {
		k.podChanged(pod)
	}
}

// node is the node by this name if its kubelet works.
func (k *kubelet) node(name string) (*corev1.Node, bool) {
	object, found, err := k.nodes.GetStore().GetByKey(name)
	if err != nil || !found {
		return nil, false
	}
	node := object.(*corev1.Node)
	return node, !stopped(node)
}

func stopped(node *corev1.Node) bool {
	return node.Annotations[kubeletState] == "stopped"
}
