package kubelet

import (
	"context"
	"encoding/json"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// lookAtNode makes a node ready when it is time, and gives it the room that it did not bring itself.
func (k *kubelet) lookAtNode(ctx context.Context, name string) (*time.Duration, error) {
	node, works := k.node(name)
	if !works || ready(node) {
		return nil, nil
	}
	now := time.Now()
	readyAt := due(node.CreationTimestamp.Time, after(node, readyAfter, 0))
	if wait := left(readyAt, now); wait == nil || *wait > 0 {
		return wait, nil
	}
	return nil, k.patchStatus(ctx, node.Name, map[string]any{
		"capacity":    room(node.Status.Capacity),
		"allocatable": room(node.Status.Allocatable),
		"addresses":   []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: k.address(192)}, {Type: corev1.NodeHostName, Address: name}},
		"conditions": []corev1.NodeCondition{{
			Type:               corev1.NodeReady,
			Status:             corev1.ConditionTrue,
			Reason:             "KubeletReady",
			Message:            "simulated kubelet is ready",
			LastHeartbeatTime:  metav1.NewTime(now),
			LastTransitionTime: metav1.NewTime(now),
		}},
		"nodeInfo": map[string]string{"kubeletVersion": "v0.0.0-simulated", "operatingSystem": "linux", "architecture": "amd64"},
	})
}

func (k *kubelet) patchStatus(ctx context.Context, node string, status map[string]any) error {
	patch, err := json.Marshal(map[string]any{"status": status})
	if err != nil {
		return err
	}
	_, err = k.client.CoreV1().Nodes().Patch(ctx, node, types.StrategicMergePatchType, patch, metav1.PatchOptions{}, "status")
	return err
}

func ready(node *corev1.Node) bool {
	for _, condition := range node.Status.Conditions {
		if condition.Type == corev1.NodeReady {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return false
}

// room is what the node was created with, or plenty.
func room(given corev1.ResourceList) corev1.ResourceList {
	if len(given) > 0 {
		return given
	}
	return corev1.ResourceList{
		corev1.ResourceCPU:    resource.MustParse("64"),
		corev1.ResourceMemory: resource.MustParse("256Gi"),
		corev1.ResourcePods:   resource.MustParse("250"),
	}
}
