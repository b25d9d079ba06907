// Figures of pgxpool for bench_pool.py: one "name value" a line, as pool_bench prints. Usage: pgxbench CONNINFO MS
package main

import (
	"context"
	"fmt"
	"os"
	"sort"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

const clients = 8

func open(conninfo string, size int32) *pgxpool.Pool {
	config, err := pgxpool.ParseConfig(conninfo)
	if err == nil {
		config.MinConns, config.MaxConns = size, size
		var pool *pgxpool.Pool
		if pool, err = pgxpool.NewWithConfig(context.Background(), config); err == nil {
			return pool
		}
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
	return nil
}

func full(pool *pgxpool.Pool, size int32) {
	for pool.Stat().IdleConns() < size {
		time.Sleep(100 * time.Microsecond)
	}
}

func load(pool *pgxpool.Pool, ms int) (float64, []float64) {
	var stop atomic.Bool
	var group sync.WaitGroup
	waits := make([][]float64, clients)
	start := time.Now()
	for c := 0; c < clients; c++ {
		group.Add(1)
		go func(c int) {
			defer group.Done()
			for !stop.Load() {
				asked := time.Now()
				conn, err := pool.Acquire(context.Background())
				if err != nil {
					panic(err)
				}
				waits[c] = append(waits[c], float64(time.Since(asked).Nanoseconds())/1000)
				var one int
				if err = conn.QueryRow(context.Background(), "SELECT 1").Scan(&one); err != nil {
					panic(err)
				}
				conn.Release()
			}
		}(c)
	}
	time.Sleep(time.Duration(ms) * time.Millisecond)
	stop.Store(true)
	group.Wait()
	seconds := time.Since(start).Seconds()
	var all []float64
	for _, some := range waits {
		all = append(all, some...)
	}
	sort.Float64s(all)
	return float64(len(all)) / seconds, all
}

// Every backend is ended, while all idle and under load: errors that clients saw, and ms until each was served again.
func recovery(conninfo, name string, idle bool, ms int) {
	admin := open(conninfo, 1)
	pool := open(conninfo, clients)
	full(pool, clients)
	var stop atomic.Bool
	var killed atomic.Int64
	var group sync.WaitGroup
	var errors [clients]int
	var back [clients]int64
	base := time.Now()
	kill := func(wait int) {
		_, err := admin.Exec(context.Background(), fmt.Sprintf("SELECT pg_terminate_backend(pid, %d) FROM pg_stat_activity "+
			"WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'", wait))
		if err != nil {
			panic(err)
		}
		killed.Store(time.Since(base).Microseconds())
	}
	if idle {
		kill(5000)
	}
	for c := 0; c < clients; c++ {
		group.Add(1)
		go func(c int) {
			defer group.Done()
			for !stop.Load() && !(idle && back[c] != 0) {
				began, after := time.Since(base).Microseconds(), killed.Load()
				var one int
				err := pool.QueryRow(context.Background(), "SELECT 1").Scan(&one)
				if err != nil {
					errors[c]++
				} else if after != 0 && began > after && back[c] == 0 {
					back[c] = time.Since(base).Microseconds()
				}
			}
		}(c)
	}
	if !idle {
		time.Sleep(time.Duration(ms/2) * time.Millisecond)
		kill(0)
		time.Sleep(time.Duration(ms) * time.Millisecond)
		stop.Store(true)
	}
	group.Wait()
	sum, last := 0, int64(0)
	for c := 0; c < clients; c++ {
		sum += errors[c]
		last = max(last, back[c])
	}
	fmt.Printf("%s_errors %d\n%s_back_ms %.1f\n", name, sum, name, float64(last-killed.Load())/1000)
	pool.Close()
	admin.Close()
}

func main() {
	conninfo := os.Args[1]
	ms, _ := strconv.Atoi(os.Args[2])
	for _, size := range []int32{8, 2} {
		pool := open(conninfo, size)
		full(pool, size)
		rate, waits := load(pool, ms)
		fmt.Printf("pool_8_on_%d %.0f\n", size, rate)
		if size == 2 {
			fmt.Printf("wait_p50 %.0f\nwait_p99 %.0f\n", waits[len(waits)/2], waits[len(waits)*99/100])
		}
		pool.Close()
	}
	pool := open(conninfo, 1)
	full(pool, 1)
	start := time.Now()
	const rounds = 100000
	for i := 0; i < rounds; i++ {
		conn, err := pool.Acquire(context.Background())
		if err != nil {
			panic(err)
		}
		conn.Release()
	}
	fmt.Printf("acquire_release_ns %.0f\n", float64(time.Since(start).Nanoseconds())/rounds)
	pool.Close()
	start = time.Now()
	pool = open(conninfo, clients)
	full(pool, clients)
	fmt.Printf("fill_ms %.1f\n", float64(time.Since(start).Microseconds())/1000)
	pool.Close()
	recovery(conninfo, "killed_idle", true, ms)
	recovery(conninfo, "killed_busy", false, ms)
}
