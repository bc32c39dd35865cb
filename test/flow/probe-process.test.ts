/** The probe as operators run it: a process, its settings, its signals. The coordinator and the mail server are played by the test. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { systemRuntime } from '../../common/runtime.ts'
import { open } from '../../common/wire/seal.ts'
import type { TestResult } from '../../common/wire/test.ts'
import { loadProbeKey } from '../../probe/identity.ts'
import { FakeCoordinator } from '../support/fake-coordinator.ts'
import { Installation } from '../support/installation.ts'
import { assignmentOf, uuidOf } from '../support/plans.ts'
import { probeId, returnAddress, temporaryDirectory } from '../support/probe-parts.ts'
import { scriptServer } from '../support/smtp-script-server.ts'

const home = new Installation()
const { wallMs } = systemRuntime

let coordinator: FakeCoordinator
let directory: ReturnType<typeof temporaryDirectory>
let children: ChildProcess[]

beforeEach(async () => {
  directory = temporaryDirectory()
  coordinator = await FakeCoordinator.listen(home, wallMs)
  children = []
})
afterEach(async () => {
  for (const child of children) {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
  }
  await coordinator.close()
  directory.remove()
})

function run(environment: Record<string, string>) {
  const child = spawn(process.execPath, ['probe/main.ts'], {
    env: {
      PATH: process.env.PATH,
      DATA_DIR: directory.path,
      MAILSCOUT_COORDINATORS: coordinator.url,
      MAILSCOUT_RETURN_ADDRESS: returnAddress,
      MAILSCOUT_INBOX: 'smtp://127.0.0.1:0',
      MAILSCOUT_ALLOW_TARGETS: '127.0.0.0/8',
      MAILSCOUT_NTP: 'off',
      ...environment,
    },
  })
  children.push(child)
  const output: string[] = []
  let wake = (): void => {}
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      output.push(line)
      wake()
    })
  }
  const said = async (words: string): Promise<string> => {
    for (;;) {
      const line = output.find((candidate) => candidate.includes(words))
      if (line !== undefined) return line
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    }
  }
  const ended = once(child, 'close').then(([code]) => code as number)
  return { child, said, ended, output }
}

async function enrolProbe(): Promise<void> {
  const { x } = await coordinator.take('enrol')
  coordinator.certificate = home.probeCertificate(probeId, x, returnAddress, wallMs())
  const { certificate } = coordinator
  coordinator.send({ v: 1, type: 'enrolled', probe_id: probeId, root_x: home.root.x, return_address: returnAddress, certificate })
}

/** Acknowledges batch after batch until one brings a result. */
async function firstResult(): Promise<TestResult> {
  const keyPair = loadProbeKey(directory.path)
  for (;;) {
    const frame = await coordinator.take('batch')
    const { body } = await open('result_batch', frame.batch, {
      trustedKey: (kid) => (kid === keyPair.kid ? keyPair.publicKey : undefined),
      issuer: probeId,
      audience: home.name,
      nowMs: wallMs(),
    })
    coordinator.send({ v: 1, type: 'ack', batch_id: frame.id, refused: [] })
    if (body.results[0] !== undefined) return body.results[0]
  }
}

describe('the probe process', () => {
  it('enrols, follows its orders, reports, stops on SIGTERM, and needs no token at the next start', async () => {
    await using mailServer = await scriptServer([
      { say: '220 mx.customer.example ESMTP' },
      { expect: /^EHLO /, say: '250 mx.customer.example' },
      { expect: /^MAIL FROM:/, say: '250 OK' },
      { expect: /^RCPT TO:/, say: '550 5.1.1 No such user here' },
    ])
    const probe = run({ MAILSCOUT_ENROLMENT_TOKEN: home.enrolmentToken })
    await enrolProbe()
    await probe.said('probe ready')
    await coordinator.take('prove')
    const target = { address: 'scout@customer.example', host: '127.0.0.1', port: mailServer.port }
    // One slot, in a moment, and none after it.
    const times = { epoch_ms: wallMs() + 500, first_slot: 0, last_slot: 0 }
    const page = await home.page([assignmentOf({ id: uuidOf(101), ...times }, { target })], probeId)
    const manifest = await home.manifest({ page_hashes: [page.hash] }, probeId, wallMs())
    coordinator.send({ v: 1, type: 'manifest', manifest })
    await coordinator.take('want_pages')
    coordinator.send({ v: 1, type: 'page', hash: page.hash, page: page.jws })
    await coordinator.take('applied')
    const result = await firstResult()
    expect(result).toMatchObject({
      outcome: 'refused',
      cause: 'slot',
      attempt: 1,
      detail: { server_words: expect.stringContaining('No such user') },
    })
    probe.child.kill('SIGTERM')
    expect(await probe.ended).toBe(0)

    const again = run({})
    await again.said('probe ready')
    await coordinator.take('prove')
    again.child.kill('SIGINT')
    expect(await again.ended).toBe(0)
  })

  it.each([
    [
      'no settings',
      { MAILSCOUT_COORDINATORS: '', MAILSCOUT_INBOX: 'x' },
      ['MAILSCOUT_COORDINATORS is missing', 'MAILSCOUT_INBOX must be'],
    ],
    ['no token and no identity', {}, ['MAILSCOUT_ENROLMENT_TOKEN is missing']],
  ])('ends with status 1 and says what to mend: %s', async (_, environment, words) => {
    const { ended, output } = run(environment)
    expect(await ended).toBe(1)
    for (const word of words) expect(output.join('\n')).toContain(word)
  })

  it('ends with status 1 when its token is refused', async () => {
    const { ended, output } = run({ MAILSCOUT_ENROLMENT_TOKEN: home.enrolmentToken })
    await coordinator.take('enrol')
    coordinator.send({ v: 1, type: 'error', code: 'ENROLMENT_REFUSED', detail: 'The token has been used' })
    expect(await ended).toBe(1)
    expect(output.join('\n')).toContain('ENROLMENT_REFUSED')
    expect(output.join('\n')).not.toContain(home.enrolmentToken)
  })

  it('stops at once while it waits to be enrolled', async () => {
    const { child, ended } = run({ MAILSCOUT_ENROLMENT_TOKEN: home.enrolmentToken })
    await coordinator.take('enrol')
    child.kill('SIGTERM')
    expect(await ended).toBe(0)
  })
})
