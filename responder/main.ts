#!/usr/bin/env node
/** The responder's modes. `pipe` is the default and the one that runs for every mail: the others are loaded when asked for. */
import { parseHostPort } from '../common/config.ts'
import { errorMessage } from '../common/errors.ts'
import { systemRuntime } from '../common/runtime.ts'
import { loadResponderConfig, responderConfigPath } from './config.ts'
import { complaint, deliveryOf, runPipe, watchdogMs } from './pipe.ts'
import { createSubmit } from './submit.ts'
import { responderVersion } from './version.ts'

const receivedAtMs = systemRuntime.wallMs()
const runtime = systemRuntime

const usage = `mailscout-responder ${responderVersion}: returns genuine Mailscout test mails

  mailscout-responder [pipe]                            a mail on standard input; exit status 0 or 75
  mailscout-responder sink --listen HOST:PORT [--lmtp]  a mail server of its own

Configuration: ${responderConfigPath({})}, or the file that MAILSCOUT_RESPONDER_CONFIG names.
`

const [mode = 'pipe', ...options] = process.argv.slice(2)
if (mode === 'pipe') void pipe()
else if (mode === 'sink') void sink(options)
else end(mode === '--help' || mode === '--version' ? 0 : 64, usage)

async function pipe(): Promise<void> {
  const fail = (words: string) => end(75, `${complaint(words)}\n`)
  // Whether an answer has left is unknown then; the mail server tries again, and the probe ignores a second answer.
  runtime.setTimer(watchdogMs, () => fail(`not done within ${watchdogMs / 1000} s`))
  process.on('uncaughtException', (error) => fail(errorMessage(error)))
  process.on('unhandledRejection', (error) => fail(errorMessage(error)))
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => fail(`ended by ${signal}`))
  const status = await runPipe({
    input: process.stdin,
    receivedAtMs,
    delivery: deliveryOf(process.env),
    loadConfig: () => loadResponderConfig(responderConfigPath(process.env)),
    createSubmit: (config) => createSubmit(config, runtime),
    runtime,
    complain: (line) => process.stderr.write(`${line}\n`),
  })
  process.exit(status)
}

async function sink(words: readonly string[]): Promise<void> {
  try {
    const { runSink } = await import('./sink-main.ts')
    await runSink({ ...sinkOptions(words), config: loadResponderConfig(responderConfigPath(process.env)), runtime })
  } catch (error) {
    end(1, `mailscout-responder: ${errorMessage(error)}\n`)
  }
}

function sinkOptions(words: readonly string[]): { listen: { host: string; port: number }; lmtp: boolean } {
  const at = words.indexOf('--listen')
  const address = at < 0 ? undefined : words[at + 1]
  const rest = words.filter((word, index) => word !== '--lmtp' && (at < 0 || (index !== at && index !== at + 1)))
  if (address === undefined || rest.length > 0) return end(64, usage)
  try {
    return { listen: parseHostPort(address), lmtp: words.includes('--lmtp') }
  } catch (error) {
    return end(64, `--listen ${errorMessage(error)}\n${usage}`)
  }
}

function end(status: number, words: string): never {
  const stream = status === 0 ? process.stdout : process.stderr
  stream.write(words)
  process.exit(status)
}
