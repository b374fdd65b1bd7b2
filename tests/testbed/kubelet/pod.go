package kubelet

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// life is what the simulated kubelet remembers of a pod. Only one worker looks at a pod at a time.
type life struct {
	seen  time.Time // bound to its node
	ran   time.Time // phase Running was written
	ready bool      // Ready was written
	ended bool      // phase Succeeded was written

	asked  time.Time // the first deletion was seen: SIGTERM
	grace  int64     // the shortest grace period seen, in seconds
	killAt time.Time // SIGKILL
	gone   bool      // the containers have ended and the pod was removed
}

func (k *kubelet) lookAtPod(ctx context.Context, item key) (*time.Duration, error) {
	object, found, err := k.pods.GetStore().GetByKey(item.namespace + "/" + item.name)
	if err != nil || !found {
		return nil, err
	}
	pod := object.(*corev1.Pod)
	if _, works := k.node(pod.Spec.NodeName); !works {
		return nil, nil
	}
	now := time.Now()
	life := k.lifeOf(pod, now)
	switch {
	case pod.DeletionTimestamp != nil:
		return k.end(ctx, pod, life, now)
	case pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed || life.ended:
		return nil, nil
	case life.ran.IsZero():
		return k.run(ctx, pod, life, now)
	case !life.ready:
		if wait, err := k.makeReady(ctx, pod, life, now); wait != nil || err != nil {
			return earlier(wait, k.completion(pod, life, now)), err
		}
	}
	return k.complete(ctx, pod, life, now)
}

func (k *kubelet) lifeOf(pod *corev1.Pod, now time.Time) *life {
	k.mu.Lock()
	defer k.mu.Unlock()
	known, found := k.known[pod.UID]
	if !found {
		known = &life{seen: now}
		if pod.Status.Phase == corev1.PodRunning {
			// It ran before this process did.
			known.ran, known.ready = now, podReady(pod)
		}
		k.known[pod.UID] = known
	}
	return known
}

func (k *kubelet) run(ctx context.Context, pod *corev1.Pod, life *life, now time.Time) (*time.Duration, error) {
	startAt := due(life.seen, after(pod, startAfter, 0))
	if wait := left(startAt, now); wait == nil || *wait > 0 {
		return wait, nil
	}
	readyWait := after(pod, readyAfter, 0)
	life.ready = readyWait == 0
	address := k.address(10)
	err := k.patchPod(ctx, pod, map[string]any{
		"phase":             corev1.PodRunning,
		"podIP":             address,
		"podIPs":            []corev1.PodIP{{IP: address}},
		"startTime":         metav1.NewTime(now),
		"conditions":        conditions(life.ready, now),
		"containerStatuses": containers(pod, life.ready, corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(now)}}),
	})
	if err != nil {
		return nil, err
	}
	life.ran = now
	wait := k.completion(pod, life, now)
	if !life.ready {
		wait = earlier(wait, left(due(life.ran, readyWait), now))
	}
	return wait, nil
}

func (k *kubelet) makeReady(ctx context.Context, pod *corev1.Pod, life *life, now time.Time) (*time.Duration, error) {
	wait := left(due(life.ran, after(pod, readyAfter, 0)), now)
	if wait == nil {
		return nil, nil
	}
	if *wait > 0 {
		return wait, nil
	}
	err := k.patchPod(ctx, pod, map[string]any{
		"conditions":        conditions(true, now),
		"containerStatuses": containers(pod, true, corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(life.ran)}}),
	})
	life.ready = err == nil
	return nil, err
}

// completion is the time until the pod completes by itself, nil for never.
func (k *kubelet) completion(pod *corev1.Pod, life *life, now time.Time) *time.Duration {
	return left(due(life.ran, after(pod, completeAfter, never)), now)
}

func (k *kubelet) complete(ctx context.Context, pod *corev1.Pod, life *life, now time.Time) (*time.Duration, error) {
	if wait := k.completion(pod, life, now); wait == nil || *wait > 0 {
		return wait, nil
	}
	err := k.patchPod(ctx, pod, terminated(pod, corev1.PodSucceeded, 0, now))
	life.ended = err == nil
	return nil, err
}

// end terminates a deleted pod: its containers are asked to end (SIGTERM), and killed when the grace period is over. A
// second deletion with a shorter grace period shortens it from then on, as the kubelet does; a longer one does not count.
// (The API server for its part counts the shorter period from the first deletion, and makes 1 s of one that is over.)
func (k *kubelet) end(ctx context.Context, pod *corev1.Pod, life *life, now time.Time) (*time.Duration, error) {
	if life.gone {
		return nil, nil
	}
	grace := int64(0)
	if pod.DeletionGracePeriodSeconds != nil {
		grace = *pod.DeletionGracePeriodSeconds
	}
	killAt := now.Add(time.Duration(grace) * time.Second)
	if life.asked.IsZero() {
		life.asked, life.grace, life.killAt = now, grace, killAt
	} else if grace < life.grace {
		life.grace = grace
		if killAt.Before(life.killAt) {
			life.killAt = killAt
		}
	}
	wait := after(pod, exitAfter, k.exitAfter)
	if wait == never {
		return nil, nil
	}
	exitAt, code := life.asked.Add(wait), int32(0)
	if exitAt.After(life.killAt) {
		exitAt, code = life.killAt, 137
	}
	if life.ran.IsZero() || life.ended {
		// No container runs.
		exitAt = now
	}
	if wait := left(exitAt, now); *wait > 0 {
		return wait, nil
	}
	if len(pod.Finalizers) > 0 {
		// It stays after the removal, so it must show that its containers have ended.
		phase := corev1.PodSucceeded
		if code != 0 {
			phase = corev1.PodFailed
		}
		if err := k.patchPod(ctx, pod, terminated(pod, phase, code, now)); err != nil {
			return nil, err
		}
	}
	err := k.client.CoreV1().Pods(pod.Namespace).Delete(ctx, pod.Name, metav1.DeleteOptions{
		GracePeriodSeconds: new(int64),
		Preconditions:      &metav1.Preconditions{UID: &pod.UID},
	})
	life.gone = err == nil
	return nil, err
}

func (k *kubelet) patchPod(ctx context.Context, pod *corev1.Pod, status map[string]any) error {
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"uid": pod.UID}, "status": status})
	if err != nil {
		return err
	}
	_, err = k.client.CoreV1().Pods(pod.Namespace).Patch(ctx, pod.Name, types.StrategicMergePatchType, patch, metav1.PatchOptions{}, "status")
	return err
}

func terminated(pod *corev1.Pod, phase corev1.PodPhase, code int32, now time.Time) map[string]any {
	reason := "Completed"
	if code != 0 {
		reason = "Error"
	}
	return map[string]any{
		"phase":      phase,
		"conditions": conditions(false, now),
		"containerStatuses": containers(pod, false, corev1.ContainerState{
			Terminated: &corev1.ContainerStateTerminated{ExitCode: code, Reason: reason, FinishedAt: metav1.NewTime(now)},
		}),
	}
}

func conditions(ready bool, now time.Time) []corev1.PodCondition {
	status := corev1.ConditionFalse
	if ready {
		status = corev1.ConditionTrue
	}
	at := metav1.NewTime(now)
	return []corev1.PodCondition{
		{Type: corev1.PodInitialized, Status: corev1.ConditionTrue, LastTransitionTime: at},
		{Type: corev1.ContainersReady, Status: status, LastTransitionTime: at},
		{Type: corev1.PodReady, Status: status, LastTransitionTime: at},
	}
}

func containers(pod *corev1.Pod, ready bool, state corev1.ContainerState) []corev1.ContainerStatus {
	statuses := make([]corev1.ContainerStatus, 0, len(pod.Spec.Containers))
	for _, container := range pod.Spec.Containers {
		statuses = append(statuses, corev1.ContainerStatus{
			Name: container.Name, Image: container.Image, Ready: ready, State: state,
		})
	}
	return statuses
}

func podReady(pod *corev1.Pod) bool {
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodReady {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return false
}

// address is the next one of a network of 16 million.
func (k *kubelet) address(network int) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.ips++
	return fmt.Sprintf("%d.%d.%d.%d", network, k.ips>>16&0xff, k.ips>>8&0xff, k.ips&0xff)
}

func earlier(a, b *time.Duration) *time.Duration {
	switch {
	case a == nil:
		return b
	case b == nil || *a < *b:
		return a
	}
	return b
}
