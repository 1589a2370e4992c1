//go:build !amd64

package kernel

// panelCut is empty where no kernel multiplies packed float weights.
type panelCut struct{}

func (t *matmulTask) runPanels(*Pool) bool { return false }
