#!/usr/bin/env node
/** The responder's modes. `pipe` is the default and the one that runs for every mail: all else is loaded when it is needed. */
import { errorMessage } from '../common/errors.ts'
import { systemRuntime as runtime } from '../common/runtime.ts'
import { complaint, runPipe, watchdogMs } from './pipe.ts'
import { responderVersion } from './version.ts'

const receivedAtMs = runtime.wallMs()

const usage = `mailscout-responder ${responderVersion}: returns genuine Mailscout test mails

  mailscout-responder [pipe]                            a mail on standard input; exit status 0 or 75
  mailscout-responder sink --listen HOST:PORT [--lmtp]  a mail server of its own

Configuration: /etc/mailscout/responder.json, or the file that MAILSCOUT_RESPONDER_CONFIG names.
`

const [mode = 'pipe', ...options] = process.argv.slice(2)
if (mode === 'pipe') void pipe()
else if (mode === 'sink') void sink(options)
// A slip in an alias is such a mode too, and any other status would bounce the mails until somebody sees it.
else end(mode === '--help' || mode === '--version' ? 0 : 75, usage)

async function pipe(): Promise<void> {
  const fail = (words: string) => end(75, `${complaint(words)}\n`)
  // Whether an answer has left is unknown then; the mail server tries again, and the probe ignores a second answer.
  runtime.setTimer(watchdogMs, () => fail(`not done within ${watchdogMs / 1000} s`))
  process.on('uncaughtException', (error) => fail(errorMessage(error)))
  process.on('unhandledRejection', (error) => fail(errorMessage(error)))
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => fail(`ended by ${signal}`))
  const status = await runPipe({
    input: process.stdin,
    async answer(raw) {
      const { answer } = await import('./answer.ts')
      await answer(raw, { environment: process.env, receivedAtMs, runtime })
    },
    complain: (line) => process.stderr.write(`${line}\n`),
  })
  process.exit(status)
}

async function sink(words: readonly string[]): Promise<void> {
  try {
    const { readSinkOptions, runSink } = await import('./sink-main.ts')
    const options = readSinkOptions(words)
    if ('fault' in options) end(64, `mailscout-responder: ${options.fault}\n\n${usage}`)
    await runSink({ ...options, environment: process.env, runtime })
  } catch (error) {
    end(1, `mailscout-responder: ${errorMessage(error)}\n`)
  }
}

function end(status: number, words: string): never {
  const stream = status === 0 ? process.stdout : process.stderr
  stream.write(words)
  process.exit(status)
}
