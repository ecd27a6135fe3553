package main

import (
	"bufio"
	"crypto/sha1"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Redis is one connection, which is opened again after an error. In an application, use its Redis client instead: the worker
// needs EVALSHA, EVAL, BZPOPMIN and CLIENT SETNAME.
type Redis struct {
	URL string
	// Name is the name of the connection.
	Name string

	mutex  sync.Mutex
	conn   net.Conn
	reader *bufio.Reader
}

// RedisError is an error reply.
type RedisError string

func (e RedisError) Error() string { return string(e) }

// Temporary tells whether the same command may succeed later.
func (e RedisError) Temporary() bool {
	for _, code := range []string{"LOADING", "MASTERDOWN", "READONLY", "TRYAGAIN", "UNBLOCKED"} {
		if strings.HasPrefix(string(e), code) {
			return true
		}
	}
	return false
}

// Do sends a command and returns its reply: the elements of an array, or one element for any other reply.
func (r *Redis) Do(command ...string) ([]string, error) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if r.conn == nil {
		if err := r.open(); err != nil {
			r.close()
			return nil, err
		}
	}
	reply, err := r.exchange(command)
	if _, isReply := err.(RedisError); err != nil && !isReply {
		r.close()
	}
	return reply, err
}

// Close closes the connection.
func (r *Redis) Close() {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.close()
}

func (r *Redis) close() {
	if r.conn != nil {
		r.conn.Close()
		r.conn = nil
	}
}

func (r *Redis) open() error {
	address, err := url.Parse(r.URL)
	if err != nil {
		return err
	}
	dialer := &net.Dialer{Timeout: 5 * time.Second}
	host := net.JoinHostPort(address.Hostname(), or(address.Port(), "6379"))
	switch address.Scheme {
	case "unix":
		r.conn, err = dialer.Dial("unix", address.Opaque+address.Path)
	case "rediss":
		r.conn, err = tls.DialWithDialer(dialer, "tcp", host, nil)
	case "redis":
		r.conn, err = dialer.Dial("tcp", host)
	default:
		err = fmt.Errorf("not a URL of Redis: %s", address.Redacted())
	}
	if err != nil {
		r.conn = nil
		return err
	}
	r.reader = bufio.NewReader(r.conn)
	if password, isSet := address.User.Password(); isSet {
		login := []string{"AUTH", password}
		if user := address.User.Username(); user != "" {
			login = []string{"AUTH", user, password}
		}
		if _, err := r.exchange(login); err != nil {
			return err
		}
	}
	_, err = r.exchange([]string{"CLIENT", "SETNAME", r.Name})
	return err
}

func (r *Redis) exchange(command []string) ([]string, error) {
	// No command of a worker waits for longer than a second.
	if err := r.conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return nil, err
	}
	var request strings.Builder
	fmt.Fprintf(&request, "*%d\r\n", len(command))
	for _, argument := range command {
		fmt.Fprintf(&request, "$%d\r\n%s\r\n", len(argument), argument)
	}
	if _, err := io.WriteString(r.conn, request.String()); err != nil {
		return nil, err
	}
	return r.read()
}

func (r *Redis) read() ([]string, error) {
	line, err := r.reader.ReadString('\n')
	if err != nil {
		return nil, err
	}
	kind, rest := line[0], strings.TrimRight(line[1:], "\r\n")
	switch kind {
	case '+', ':':
		return []string{rest}, nil
	case '-':
		return nil, RedisError(rest)
	}
	length, err := strconv.Atoi(rest)
	if err != nil || length < 0 {
		return nil, err
	}
	switch kind {
	case '$':
		text := make([]byte, length+2)
		_, err := io.ReadFull(r.reader, text)
		return []string{string(text[:length])}, err
	case '*':
		var all []string
		for i := 0; i < length; i++ {
			element, err := r.read()
			if err != nil {
				return nil, err
			}
			all = append(all, element...)
		}
		return all, nil
	}
	return nil, fmt.Errorf("not a reply of Redis: %q", line)
}

func sha1Hex(text []byte) string {
	sum := sha1.Sum(text)
	return hex.EncodeToString(sum[:])
}

func or(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}
