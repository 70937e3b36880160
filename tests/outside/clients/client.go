// client URL: makes the requests of its standard input, with net/http. Each is a line: method,
// target, body (a file, +FILE to be sent in chunks, or -) and fields, between tabs. Prints the
// status of each.
package main

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
)

func made(url string, line string) (int, error) {
	words := strings.Split(line, "\t")
	request, err := http.NewRequest(words[0], url+words[1], nil)
	if err != nil {
		return 0, err
	}
	for _, field := range words[3:] {
		name, value, _ := strings.Cut(field, ": ")
		request.Header.Add(name, value)
	}
	if body := words[2]; body != "-" {
		file, err := os.Open(strings.TrimPrefix(body, "+"))
		if err != nil {
			return 0, err
		}
		defer file.Close()
		request.Body = file
		request.ContentLength = -1 // in chunks
		if about, err := file.Stat(); err == nil && !strings.HasPrefix(body, "+") {
			request.ContentLength = about.Size()
		}
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body)
	return response.StatusCode, err
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		if status, err := made(os.Args[1], lines.Text()); err != nil {
			fmt.Println("error:", err)
		} else {
			fmt.Println(status)
		}
	}
}
