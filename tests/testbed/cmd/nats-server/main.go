// Command nats-server is the NATS server, built from the version that go.mod pins.
// It takes the flags of the released binary.
package main

import (
	"flag"
	"fmt"
	"os"

	"github.com/nats-io/nats-server/v2/server"
)

func main() {
	flags := flag.NewFlagSet("nats-server", flag.ExitOnError)
	options, err := server.ConfigureOptions(flags, os.Args[1:],
		func() { fmt.Printf("nats-server: v%s\n", server.VERSION); os.Exit(0) },
		func() { flags.PrintDefaults(); os.Exit(0) },
		func() { flags.PrintDefaults(); os.Exit(0) })
	if err != nil {
		server.PrintAndDie("nats-server: " + err.Error())
	}
	nats, err := server.NewServer(options)
	if err != nil {
		server.PrintAndDie("nats-server: " + err.Error())
	}
	nats.ConfigureLogger()
	if err := server.Run(nats); err != nil {
		server.PrintAndDie("nats-server: " + err.Error())
	}
	nats.WaitForShutdown()
}
