// A worker for the jobs of jobs/collatz.mjs: finds the number with the longest Collatz sequence.
//
// REDIS_URL is the Redis of Headway, and defaults to the private one of npm start.
package main

import (
	"context"
	"encoding/json"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
)

const part = 50_000

type input struct {
	UpTo int `json:"upTo"`
}

type result struct {
	Number int `json:"number"`
	Steps  int `json:"steps"`
}

func collatz(ctx context.Context, job *Job) (any, error) {
	var data input
	if err := json.Unmarshal(job.Data, &data); err != nil {
		return nil, err
	}
	longest := result{Number: 1}
	for number := 1; number <= data.UpTo; number++ {
		steps := 0
		for n := number; n != 1; steps++ {
			if n%2 == 0 {
				n /= 2
			} else {
				n = 3*n + 1
			}
		}
		if steps > longest.Steps {
			longest = result{Number: number, Steps: steps}
		}
		if number%part == 0 || number == data.UpTo {
			// The error ends the attempt here when the job was cancelled.
			progress := Progress{Current: float64(number), Total: float64(data.UpTo), Unit: "numbers", Stage: "search"}
			if err := job.Progress(ctx, progress); err != nil {
				return nil, err
			}
		}
	}
	return longest, job.Log(ctx, "looked at all numbers")
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	root := or(os.Getenv("HEADWAY_DIR"), filepath.Join("..", ".."))
	worker := &Worker{
		RedisURL: or(os.Getenv("REDIS_URL"), "unix:"+filepath.Join(root, "data/redis/redis.sock")),
		Queue:    "collatz",
		Script:   or(os.Getenv("WORKER_LUA"), filepath.Join(root, "dist/shared/bullmq/scripts/worker.lua")),
	}
	if err := worker.Run(ctx, collatz); err != nil {
		log.Fatal(err)
	}
}
