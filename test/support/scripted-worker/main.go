// Runs the jobs of the contract in test/support/scripted-worker.ts: each says what its attempts do.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"math"
	"os"
	"os/signal"
	"syscall"
	"time"
)

type step struct {
	Progress  *Progress `json:"progress"`
	Log       []string  `json:"log"`
	Until     string    `json:"until"`
	Blocked   string    `json:"blocked"`
	Fail      string    `json:"fail"`
	Permanent string    `json:"permanent"`
	Result    any       `json:"result"`
}

func run(ctx context.Context, job *Job) (any, error) {
	var data struct {
		Attempts [][]step `json:"attempts"`
	}
	if err := json.Unmarshal(job.Data, &data); err != nil {
		return nil, err
	}
	attempt := job.Attempt
	if attempt > len(data.Attempts) {
		attempt = len(data.Attempts)
	}
	for _, step := range data.Attempts[attempt-1] {
		var err error
		switch {
		case step.Progress != nil:
			err = job.Progress(ctx, *step.Progress)
		case step.Log != nil:
			err = job.Log(ctx, step.Log...)
		case step.Until != "":
			err = wait(ctx, step.Until)
		case step.Blocked != "":
			err = wait(context.Background(), step.Blocked)
		case step.Fail != "":
			err = errors.New(step.Fail)
		case step.Permanent != "":
			err = fmt.Errorf("%s: %w", step.Permanent, ErrPermanent)
		default:
			return step.Result, nil
		}
		if err != nil {
			return nil, err
		}
	}
	return math.NaN(), nil
}

func wait(ctx context.Context, path string) error {
	for {
		if _, err := os.Stat(path); err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	worker := &Worker{RedisURL: os.Getenv("REDIS_URL"), Queue: "scripted", Script: os.Getenv("WORKER_LUA"), Lock: time.Second}
	if err := worker.Run(ctx, run); err != nil {
		log.Fatal(err)
	}
}
