package storagetest

import (
	"os"
	"testing"

	"github.com/cxsync/cxsync/internal/fewergc"
)

func TestMain(m *testing.M) { os.Exit(fewergc.Run(m)) }
