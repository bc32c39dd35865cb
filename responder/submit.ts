/** How an answer leaves: through the local sendmail, a named host, fixed routes, or the mail servers of the return domain. */
import { hostname } from 'node:os'
import { MailscoutError } from '../common/errors.ts'
import { domainOf } from '../common/mail/headers.ts'
import type { Runtime } from '../common/runtime.ts'
import type { HostPort, ResponderConfig } from './config.ts'
import { handToSendmail } from './sendmail.ts'

export type Answer = { mail: string; to: string }
export type Submit = (answer: Answer, deadlineMs: number) => Promise<void>

/** The returned function resolves when the answer has been taken over, and throws when nobody took it. */
export function createSubmit(config: Pick<ResponderConfig, 'submission' | 'dns'>, runtime: Runtime): Submit {
  const { submission } = config
  if (submission.kind === 'sendmail') return (answer) => handToSendmail(submission.paths, answer)
  return async (answer, deadlineMs) => {
    // Loaded where it is needed: most pipes hand over to sendmail, and each mail is a process of its own.
    const { submitByMx, submitMail } = await import('../common/smtp/submit.ts')
    const { createResolver } = await import('../common/smtp/mx.ts')
    const common = {
      heloName: heloName(),
      // The null sender: nothing ever answers to an answer.
      envelope: { from: '', to: answer.to },
      message: Buffer.from(answer.mail, 'latin1'),
      deadlineMs,
      runtime,
      resolver: createResolver(config.dns),
    }
    if (submission.kind === 'mx') return void (await submitByMx(common))
    const route =
      submission.kind === 'host' ? submission : { ...routeOf(submission.routes, answer.to), tls: 'opportunistic' as const }
    await submitMail({ ...common, host: route.host, port: route.port, tls: route.tls })
  }
}

function routeOf(routes: ReadonlyMap<string, HostPort>, to: string): HostPort {
  const labels = domainOf(to).split('.')
  for (let from = 0; from < labels.length; from++) {
    const route = routes.get(labels.slice(from).join('.'))
    if (route !== undefined) return route
  }
  throw new MailscoutError('SUBMISSION_FAILED', `There is no route to ${domainOf(to)}: add it to submit.routes.`)
}

function heloName(): string {
  const name = hostname()
  return /^[A-Za-z0-9.-]{1,253}$/.test(name) ? name : 'localhost'
}
