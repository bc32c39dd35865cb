/** The local `sendmail`: always there, allowed where own sockets are not (SELinux), and it queues. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { accessSync, constants } from 'node:fs'
import { MailscoutError } from '../common/errors.ts'

const outputCharsMax = 500

/** Resolves when sendmail has taken the answer; throws SUBMISSION_FAILED with its words otherwise. */
export async function handToSendmail(paths: readonly string[], answer: { mail: string; to: string }): Promise<void> {
  const path = paths.find(isExecutable)
  if (path === undefined)
    throw new MailscoutError('SUBMISSION_FAILED', `No sendmail at ${paths.join(' or ')}: set "sendmail" or "submit".`)
  // No shell; `--` so that no address can be read as an option; `<>` so that nothing answers to the answer.
  const child = spawn(path, ['-i', '-f', '<>', '--', answer.to], { stdio: ['pipe', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      if (output.length < outputCharsMax) output += chunk.toString('latin1')
    })
  }
  // A sendmail that ends early closes the pipe; its status tells more than EPIPE.
  child.stdin.on('error', () => {})
  // sendmail takes lines as this system writes them and makes CRLF of them itself.
  child.stdin.end(answer.mail.replace(/\r\n/g, '\n'), 'latin1')
  const [status, signal] = await ended(child, path)
  if (status === 0) return
  const words = output
    .replace(/[^\x20-\x7e]+/g, ' ')
    .trim()
    .slice(0, outputCharsMax)
  throw new MailscoutError('SUBMISSION_FAILED', `${path} refused the answer (${signal ?? `status ${status}`}): ${words}`)
}

async function ended(child: ReturnType<typeof spawn>, path: string): Promise<[number | null, string | null]> {
  try {
    const [status, signal] = await once(child, 'close')
    return [status, signal]
  } catch (error) {
    throw new MailscoutError('SUBMISSION_FAILED', `${path} could not be run.`, { cause: error })
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
