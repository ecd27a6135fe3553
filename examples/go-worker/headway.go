package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"math"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Worker takes jobs of Headway from one queue, through one Redis script (docs/guides/other-languages.md). It runs one job at a
// time: call Run in several goroutines, each with its own Worker, to run several.
type Worker struct {
	// RedisURL is the REDIS_URL of Headway: redis://, rediss:// or unix: with the path of a socket.
	RedisURL string
	// Queue is the name of the kind of job.
	Queue string
	// Script is the path of worker.lua, which is part of the npm package headway-jobs.
	Script string
	// Prefix is KEY_PREFIX. Defaults to "headway".
	Prefix string
	// Lock is how long the job of a worker that died stays with it. Defaults to 30 seconds.
	Lock time.Duration

	redis *Redis
	base  string
	text  string
	sha   string
}

// Handler runs one attempt of a job and returns its result, which is converted to JSON. An error fails the attempt, and
// Headway's retries apply. When ctx is done, the attempt must end.
type Handler func(ctx context.Context, job *Job) (any, error)

// ErrPermanent marks an error after which another attempt would not help: fmt.Errorf("no such file: %w", ErrPermanent).
var ErrPermanent = errors.New("permanent")

// stop is why an attempt must end: the reply of the script, or "ending" for a worker that ends.
type stop string

func (s stop) Error() string { return "the attempt must end: " + string(s) }

// Run runs jobs until ctx is done.
func (w *Worker) Run(ctx context.Context, handler Handler) error {
	if w.Prefix == "" {
		w.Prefix = "headway"
	}
	if w.Lock == 0 {
		w.Lock = 30 * time.Second
	}
	script, err := os.ReadFile(w.Script)
	if err != nil {
		return err
	}
	// The name of the connection tells Headway that somebody serves the queue.
	name := fmt.Sprintf("{%s}:%s", w.Prefix, base64.StdEncoding.EncodeToString([]byte(w.Queue)))
	w.text, w.sha = string(script), sha1Hex(script)
	w.base = fmt.Sprintf("{%s}:%s:", w.Prefix, w.Queue)
	w.redis = &Redis{URL: w.RedisURL, Name: name}
	defer w.redis.Close()
	log.Printf("ready: %s", strings.TrimSuffix(w.base, ":"))
	for ctx.Err() == nil {
		token := newToken()
		reply, err := w.call(ctx, "take", token)
		if err != nil {
			return ignoreDone(ctx, err)
		}
		if reply[0] == "job" {
			if err := w.attempt(ctx, token, reply[1:], handler); err != nil {
				return ignoreDone(ctx, err)
			}
			continue
		}
		// Redis replies as soon as a job is queued.
		ms, _ := strconv.Atoi(reply[1])
		seconds := strconv.FormatFloat(math.Min(1, float64(ms)/1000), 'f', 3, 64)
		if _, err := w.patiently(ctx, "BZPOPMIN", w.base+"marker", seconds); err != nil {
			return ignoreDone(ctx, err)
		}
	}
	return nil
}

func (w *Worker) attempt(ctx context.Context, token string, fields []string, handler Handler) error {
	running, cancel := context.WithCancel(ctx)
	defer cancel()
	attempt, _ := strconv.Atoi(fields[3])
	attempts, _ := strconv.Atoi(fields[4])
	job := &Job{ID: fields[0], Name: fields[1], Data: json.RawMessage(fields[2]), Attempt: attempt, Attempts: attempts,
		worker: w, token: token, cancel: cancel}
	var holding sync.WaitGroup
	held := make(chan struct{})
	holding.Add(1)
	go func() {
		defer holding.Done()
		job.hold(ctx, held)
	}()
	result, err := handler(running, job)
	// A worker that ends still says how its job ended. It waits for Redis as long as nobody else gets the job.
	end, giveUp := context.WithCancel(context.Background())
	defer giveUp()
	go func() {
		<-running.Done()
		select {
		case <-end.Done():
		case <-time.After(w.Lock):
			if ctx.Err() != nil {
				giveUp()
			}
		}
	}()
	if flushed := job.flush(end); err == nil {
		err = flushed
	}
	close(held)
	holding.Wait()
	if why := job.stopped(end); why != "" {
		err = why
	} else if err != nil && ctx.Err() != nil {
		err = stop("ending")
	}
	var text []byte
	if err == nil {
		text, err = json.Marshal(result)
	}
	var reason stop
	switch {
	case err == nil:
		_, err = job.call(end, "complete", string(text))
		var refused RedisError
		if errors.As(err, &refused) {
			_, err = job.call(end, "fail", refused.Error(), "permanent")
		}
	case errors.As(err, &reason):
		switch reason {
		case "cancel", "timeout":
			_, err = job.call(end, "fail", "", string(reason))
		case "ending":
			_, err = job.call(end, "release")
		default: // Another worker has the job.
			err = nil
		}
	case errors.Is(err, ErrPermanent):
		_, err = job.call(end, "fail", strings.TrimSuffix(err.Error(), ": permanent"), "permanent")
	default:
		_, err = job.call(end, "fail", err.Error())
	}
	return err
}

// Job is one attempt of a job.
type Job struct {
	ID, Name          string
	Data              json.RawMessage
	Attempt, Attempts int

	worker *Worker
	token  string
	cancel context.CancelFunc

	mutex     sync.Mutex
	why       stop
	lines     int
	pending   *Progress
	published time.Time
}

// Progress has the fields of the event "progress". Without Percent, the percentage is that of Current in Total.
type Progress struct {
	Percent *float64 `json:"percent,omitempty"`
	Current float64  `json:"current"`
	Total   float64  `json:"total,omitempty"`
	Unit    string   `json:"unit,omitempty"`
	Stage   string   `json:"stage,omitempty"`
	Message string   `json:"message,omitempty"`
}

// Progress reports progress. At most ten reports a second are sent; the last one before the end always is. An error means
// that the attempt must end: return it.
func (j *Job) Progress(ctx context.Context, progress Progress) error {
	if why := j.stopped(ctx); why != "" {
		return why
	}
	j.pending = &progress
	if time.Since(j.published) < 100*time.Millisecond {
		return nil
	}
	return j.flush(ctx)
}

// Log adds lines to the log of the job. An error means that the attempt must end: return it.
func (j *Job) Log(ctx context.Context, lines ...string) error {
	first := strconv.Itoa(j.lines + 1)
	j.lines += len(lines)
	return j.report(ctx, "log", append([]string{first}, lines...)...)
}

func (j *Job) flush(ctx context.Context) error {
	if j.pending == nil {
		return nil
	}
	text, err := json.Marshal(j.pending)
	j.pending = nil
	if err != nil {
		return err
	}
	j.published = time.Now()
	return j.report(ctx, "progress", string(text))
}

// hold keeps the lock while the job does something else, and notices within a second that it was cancelled.
func (j *Job) hold(ctx context.Context, done <-chan struct{}) {
	connection := &Redis{URL: j.worker.RedisURL, Name: j.worker.redis.Name}
	defer connection.Close()
	holder := *j.worker
	holder.redis = connection
	every := time.Second
	if j.worker.Lock < 4*every {
		every = j.worker.Lock / 4
	}
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		<-done
		cancel()
	}()
	for {
		select {
		case <-done:
			return
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if reply, err := holder.call(ctx, "hold", j.token, j.ID); err == nil {
			j.note(reply[0])
		}
	}
}

func (j *Job) report(ctx context.Context, command string, args ...string) error {
	reply, err := j.call(ctx, command, args...)
	if err != nil {
		return err
	}
	j.note(reply[0])
	if why := j.stopped(ctx); why != "" {
		return why
	}
	return nil
}

func (j *Job) call(ctx context.Context, command string, args ...string) ([]string, error) {
	return j.worker.call(ctx, command, j.token, append([]string{j.ID}, args...)...)
}

// note records the reply to a report.
func (j *Job) note(status string) {
	if status == "ok" {
		return
	}
	j.mutex.Lock()
	j.why = stop(status)
	j.mutex.Unlock()
	j.cancel()
}

func (j *Job) stopped(ctx context.Context) stop {
	j.mutex.Lock()
	defer j.mutex.Unlock()
	if j.why == "" && ctx.Err() != nil {
		return "ending"
	}
	return j.why
}

// call runs a command of the script.
func (w *Worker) call(ctx context.Context, command, token string, args ...string) ([]string, error) {
	lock := strconv.FormatInt(w.Lock.Milliseconds(), 10)
	rest := append([]string{"1", w.base + "meta", command, token, lock}, args...)
	reply, err := w.patiently(ctx, append([]string{"EVALSHA", w.sha}, rest...)...)
	if err != nil && strings.HasPrefix(err.Error(), "NOSCRIPT") {
		reply, err = w.patiently(ctx, append([]string{"EVAL", w.text}, rest...)...)
	}
	return reply, err
}

// patiently repeats a command while Redis is down. If only the reply was lost, the second call of "complete" or "fail" gets
// "lost": the job has ended.
func (w *Worker) patiently(ctx context.Context, command ...string) ([]string, error) {
	for {
		reply, err := w.redis.Do(command...)
		var refused RedisError
		if err == nil || (errors.As(err, &refused) && !refused.Temporary()) {
			return reply, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func ignoreDone(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func newToken() string {
	bytes := make([]byte, 16)
	if _, err := rand.Read(bytes); err != nil {
		panic(err)
	}
	return hex.EncodeToString(bytes)
}
