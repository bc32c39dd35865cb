/** The bundle as a mail server runs it: the system's Node, no packages beside it, a fake sendmail at the edge. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { buildResponder } from '../../bin/build-responder.ts'
import { readReturnedMail } from '../../common/mail/inbound-mail.ts'
import { makeKeys, makeTestMail, makeToken, probe, relayed, returnAddress, root, target, tid } from '../support/mails.ts'
import { acceptingScript, scriptServer } from '../support/smtp-script-server.ts'

let directory: string
let bundle: string
/** Begun with the first test and looked at in the last, so that its 8 s cost nobody time. */
let endless: ReturnType<typeof start>
const at = (name: string) => join(directory, name)
// A mail server hands commands a short PATH; without a Node there this test's own stands in.
const systemPath = ['/usr/local/bin', '/usr/bin', '/bin']
const hasSystemNode = systemPath.some((path) => existsSync(join(path, 'node')))
const path = [...systemPath, ...(hasSystemNode ? [] : [join(process.execPath, '..')])].join(':')

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'responder-pipe-'))
  bundle = await buildResponder(at('mailscout-responder.cjs'))
  endless = start()
  endless.child.stdin?.write('Subject: slow\n')
})
afterAll(() => rmSync(directory, { recursive: true, force: true }))

beforeEach(() => {
  for (const name of readdirSync(directory))
    if (name !== 'mailscout-responder.cjs') rmSync(at(name), { recursive: true, force: true })
  writeSendmail(`printf '%s\\n' "$@" > ${at('arguments')}; cat > ${at('sent')}`)
  writeConfig({ sendmail: at('sendmail') })
})

function writeSendmail(script: string): void {
  writeFileSync(at('sendmail'), `#!/bin/sh\n${script}\n`)
  chmodSync(at('sendmail'), 0o755)
}

function writeConfig(changes: object): void {
  const config = { root_keys: [root.x], return_domains: ['probe.example'], state_dir: at('state'), ...changes }
  writeFileSync(at('responder.json'), JSON.stringify(config))
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const bound = server.address()
  server.close()
  await once(server, 'close')
  return typeof bound === 'object' && bound !== null ? bound.port : 0
}

type Ended = { status: number | null; stdout: string; stderr: string }

function start(args: string[] = [], environment: Record<string, string> = {}): { child: ChildProcess; ended: Promise<Ended> } {
  const env = {
    PATH: path,
    HOME: at('home'),
    MAILSCOUT_RESPONDER_CONFIG: at('responder.json'),
    RECIPIENT: target,
    ...environment,
  }
  const child = spawn(bundle, args, { env, stdio: ['pipe', 'pipe', 'pipe'] })
  const output = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].on('data', (chunk: Buffer) => {
      output[name] += chunk.toString()
    })
  }
  child.stdin.on('error', () => {})
  return { child, ended: once(child, 'close').then(([status]) => ({ status, ...output })) }
}

function pipe(mail: string | Buffer, environment: Record<string, string> = {}, args: string[] = []): Promise<Ended> {
  const { child, ended } = start(args, environment)
  child.stdin?.end(mail)
  return ended
}

const silent = { status: 0, stdout: '', stderr: '' }
const sent = () => (existsSync(at('sent')) ? readFileSync(at('sent'), 'latin1') : undefined)
const readSent = () => readReturnedMail(sent() ?? '', { rootKeysX: [root.x], probeX: probe.x })

describe('the bundle', () => {
  test('is one executable file for Node without packages', () => {
    const text = readFileSync(bundle, 'utf8')
    expect(text.startsWith('#!/usr/bin/env node\n')).toBe(true)
    const required = [...text.matchAll(/require\("([^"]+)"\)/g)].map(([, name]) => name ?? '')
    expect(required.filter((name) => !name.startsWith('node:'))).toEqual([])
  })

  test('is built under the version of the package', async () => {
    const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
    expect((await pipe('', {}, ['--version'])).stdout).toContain(`mailscout-responder ${version}`)
  })
})

describe('a genuine mail', () => {
  test.each(Object.entries(relayed).filter(([how]) => /sent|mbox|base64, headers|disclaimer/.test(how)))(
    '%s is returned, status 0 and no word',
    async (_, relay) => {
      expect(await pipe(Buffer.from(relay(makeTestMail()), 'latin1'))).toEqual(silent)
      expect(readSent()).toMatchObject({
        kind: 'returned',
        token: { tid },
        responderVersion: expect.stringMatching(/^\d+\.\d+\.\d+$/),
      })
      expect(readFileSync(at('arguments'), 'utf8').split('\n')).toEqual(['-i', '-f', '<>', '--', returnAddress, ''])
      expect(sent()).not.toContain('\r')
    },
  )

  test('is returned again with the first stamp', async () => {
    await pipe(makeTestMail())
    const first = readSent()
    await pipe(makeTestMail())
    const again = readSent()
    expect(first.kind === 'returned' && again.kind === 'returned' && again.firstStampMs === first.stampMs).toBe(true)
  })

  test('is returned where no state can be kept', async () => {
    writeFileSync(at('state'), 'a file, not a directory')
    writeFileSync(at('home'), 'a file, not a directory')
    expect(await pipe(makeTestMail())).toEqual(silent)
    expect(readSent().kind).toBe('returned')
  })

  test('is returned through an SMTP host', async () => {
    await using server = await scriptServer(acceptingScript())
    writeConfig({ submit: { host: '127.0.0.1', port: server.port } })
    expect(await pipe(makeTestMail())).toEqual(silent)
    expect(server.received.join('\n')).toMatch(/MAIL FROM:<>[\s\S]*X-Mailscout-Stamp/)
  })

  test('is noted in the journal', async () => {
    await pipe(makeTestMail())
    expect(JSON.parse(readFileSync(at('state/responder.log'), 'utf8'))).toMatchObject({ msg: 'answered', tid, repeated: false })
  })
})

describe('a mail that is not to be answered', () => {
  test.each<[string, () => string, Record<string, string>]>([
    ['a letter', () => 'From: a@b.example\nSubject: hello\n\nHello!\n', {}],
    ['nothing', () => '', {}],
    ['a forged certificate', () => makeTestMail(makeToken({ rootKey: makeKeys() })), {}],
    ['a look-alike return domain', () => makeTestMail(makeToken({ ret: 'rt@evilprobe.example' })), {}],
    ['another recipient', () => makeTestMail(makeToken({ rcpt: 'A'.repeat(43) })), {}],
    ['the null sender', () => makeTestMail(), { SENDER: '' }],
    ['an answer', () => `X-Mailscout-Hop: 1\n${makeTestMail()}`, {}],
    ['10 MiB of somebody else', () => `Subject: big\n\n${'x'.repeat(10 * 1024 * 1024)}`, {}],
  ])('%s: status 0, no word, nothing sent', async (_, mail, environment) => {
    expect(await pipe(mail(), environment)).toEqual(silent)
    expect(sent()).toBeUndefined()
  })

  test('costs no configuration and no state', async () => {
    rmSync(at('responder.json'))
    expect(await pipe('Subject: hello\n\nHello!\n')).toEqual(silent)
    expect(readdirSync(directory).sort()).toEqual(['mailscout-responder.cjs', 'sendmail'])
  })
})

describe('status 75 and a reason that mail servers understand', () => {
  const temporary = (words: string) => ({
    status: 75,
    stdout: '',
    stderr: expect.stringMatching(new RegExp(`^4\\.3\\.0 mailscout-responder: .*${words}.*\\n$`)),
  })

  test.each<[string, () => void, string]>([
    ['no configuration', () => rmSync(at('responder.json')), 'cannot be read'],
    ['a broken configuration', () => writeFileSync(at('responder.json'), '{'), 'is not JSON'],
    ['a faulty configuration', () => writeConfig({ root_keys: [] }), 'root_keys'],
    ['no sendmail', () => rmSync(at('sendmail')), 'No sendmail at'],
    ['a sendmail that refuses', () => writeSendmail('cat > /dev/null; echo queue full >&2; exit 75'), 'status 75.*queue full'],
    ['a sendmail that ends early', () => writeSendmail('exit 1'), 'status 1'],
    ['a sendmail that is killed', () => writeSendmail('kill -9 $$'), 'SIGKILL'],
    ['a sendmail that is no program', () => writeFileSync(at('sendmail'), '#!/nowhere/at/all\n'), 'could not be run'],
    [
      'no route to the return domain',
      () => writeConfig({ submit: { routes: { 'us.probe.example': '127.0.0.1:1' } } }),
      'no route',
    ],
    ['an SMTP host that is down', () => writeConfig({ submit: { host: '127.0.0.1', port: 1 } }), 'ECONNREFUSED'],
  ])('for %s', async (_, spoil, words) => {
    spoil()
    expect(await pipe(makeTestMail())).toEqual(temporary(words))
  })

  test('when it is asked to end', async () => {
    writeSendmail('kill -TERM $PPID; exec sleep 1')
    expect(await pipe(makeTestMail())).toEqual(temporary('SIGTERM'))
  })

  test('after 8 s at most, when its input never ends', async () => {
    expect(await endless.ended).toEqual(temporary('not done within 8 s'))
    endless.child.stdin?.destroy()
  })
})

describe('the command line', () => {
  test.each<[string[]]>([
    [['sink']],
    [['sink', '--listen']],
    [['sink', '--listen', 'x:y']],
    [['sink', '--listen', '127.0.0.1:2525', '--what']],
  ])('%j gives the usage and status 64', async (args) => {
    expect(await pipe('', {}, args)).toMatchObject({ status: 64, stderr: expect.stringContaining('mailscout-responder [pipe]') })
  })

  test('a mode that there is not defers the mail, as it may stand in an alias', async () => {
    expect(await pipe('', {}, ['sing'])).toMatchObject({
      status: 75,
      stderr: expect.stringContaining('mailscout-responder [pipe]'),
    })
  })

  test('sink listens, says so, and ends with status 0 at SIGTERM', async () => {
    const { child, ended } = start(['sink', '--listen', `127.0.0.1:${await freePort()}`])
    await once(child.stdout ?? child, 'data')
    child.kill('SIGTERM')
    const { status, stdout } = await ended
    expect(status).toBe(0)
    expect(
      stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line).msg),
    ).toEqual(['listening', 'stopping'])
  })
})
