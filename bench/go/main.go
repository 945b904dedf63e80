// The peers in Go: pgx's pool, and database/sql over pgx. The argument names one. It is told its
// tasks on its standard input and answers on its standard output, a line of JSON each, as the
// workers on Node do (bench/src/contest.ts).
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
)

// Access is how the server is reached; the parent hands it over in the environment.
type Access struct {
	Host     string `json:"host"`
	Port     int    `json:"port"`
	User     string `json:"user"`
	Password string `json:"password"`
	Database string `json:"database"`
	Rows     int    `json:"rows"`
}

func (a Access) dsn() string {
	return "host=" + a.Host + " port=" + strconv.Itoa(a.Port) + " user=" + a.User +
		" password=" + a.Password + " dbname=" + a.Database + " sslmode=disable"
}

type task struct {
	Job    string `json:"job"`
	Amount int    `json:"amount"`
}

type figures map[string]float64

// A client reads the balance of one account.
type client interface {
	balance(ctx context.Context, aid int) (int, error)
	close()
}

func open(name string, access Access) (client, error) {
	switch name {
	case "pgxpool":
		return openPool(access)
	case "database/sql":
		return openSQL(access)
	}
	return nil, fmt.Errorf("there is no contender %s", name)
}

func run(name string, access Access, one task) (figures, error) {
	switch one.Job {
	case "select":
		return selectPoints(name, access, one.Amount)
	case "copy":
		return copyRows(access, one.Amount)
	case "rows":
		return readRows(access, one.Amount)
	}
	return nil, fmt.Errorf("no job %s", one.Job)
}

func main() {
	var access Access
	if err := json.Unmarshal([]byte(os.Getenv("FOREBAY_BENCH_ACCESS")), &access); err != nil {
		fmt.Fprintln(os.Stderr, "FOREBAY_BENCH_ACCESS:", err)
		os.Exit(2)
	}
	answer := func(value interface{}) {
		line, err := json.Marshal(value)
		if err != nil {
			panic(err)
		}
		fmt.Printf("%s\n", line)
	}
	answer(map[string]figures{"figures": {}})
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var one task
		err := json.Unmarshal(lines.Bytes(), &one)
		var found figures
		if err == nil {
			found, err = run(os.Args[1], access, one)
		}
		if err != nil {
			answer(map[string]string{"failure": err.Error()})
		} else {
			answer(map[string]figures{"figures": found})
		}
	}
}
