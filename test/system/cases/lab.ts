/** The lab's own proof: what the other cases take for granted, seen with real mail and without any part of Mailscout. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { useLab } from '../lab/current.ts'
import { HttpClient } from '../lab/http.ts'
import { plainMail, readMailbox, sendMail } from '../lab/mail.ts'
import { mustRunInside } from '../lab/processes.ts'
import { Sink } from '../lab/sink.ts'
import { until } from '../lab/until.ts'

const lab = useLab()
const arrivesWithinMs = 20_000
const sender = 'rt@eu.probe.test'

/** Sends a plain mail from a region and returns what the server said. */
function send(region: string, to: string, subject: string) {
  return sendMail(lab.host(region), { from: sender, to, raw: plainMail(sender, to, subject) })
}

/** A pipe program as a mail administrator installs one: it notes who ran it, and keeps the mail. */
function installNote(user: string): { command: string; noted: () => string } {
  const note = join(lab.customer.home(user), 'noted')
  const script = `#!/bin/sh\n{ id -un; echo "configured by $NOTE_CONFIG"; echo "node $(${lab.userNode} --version)"; cat; } >> ${note}\n`
  const command = lab.customer.writeFor(user, 'note.sh', script, 0o755)
  return { command, noted: () => (existsSync(note) ? readFileSync(note, 'utf8') : '') }
}

describe('the lab: mail', { concurrency: true }, () => {
  test('a .forward to a program gets the mail, as its user, and keeps no copy', async () => {
    const address = lab.customer.addUser('piped')
    const { command, noted } = installNote('piped')
    lab.customer.setForward('piped', `"|env NOTE_CONFIG=/a/file ${command}"`)
    assert.equal((await send('eu', address, 'to the program')).ok, true)
    const seen = await until('the program to run', () => noted().includes('Subject: to the program') && noted(), {
      withinMs: arrivesWithinMs,
    })
    assert.match(seen, /^piped\nconfigured by \/a\/file\nnode v\d+/)
    assert.deepEqual(lab.customer.mails('piped'), [])
  })

  test('a .forward that keeps a copy gives it to the program and to the mailbox', async () => {
    const address = lab.customer.addUser('kept')
    const { command, noted } = installNote('kept')
    lab.customer.setForward('kept', `\\kept, "|${command}"`)
    await send('us', address, 'to both')
    await until('both copies', () => noted().includes('Subject: to both') && lab.customer.mails('kept').length === 1, {
      withinMs: arrivesWithinMs,
    })
  })

  test("a user's sendmail is that of the host, with the null sender, and reaches a listener in a region by its MX", async () => {
    const sink = new Sink(lab.programs, lab.host('eu'), join(lab.directory, 'eu-sink'))
    await sink.start()
    try {
      lab.customer.addUser('answers')
      const raw = plainMail('answers@customer.test', sender, 'an answer')
      await mustRunInside(lab.customer.host, ['sendmail', '-i', '-f', '<>', '--', sender], { user: 'answers', input: raw })
      const mail = await until('the answer', () => sink.mails().find((text) => text.includes('Subject: an answer')), {
        withinMs: arrivesWithinMs,
      })
      assert.match(mail, /^X-Mail-Args: <>/m)
      assert.match(mail, /^X-Rcpt-Args: <rt@eu\.probe\.test>/m)
      assert.match(mail, /^Received: by mail\.customer\.test/m)
    } finally {
      await sink.stop()
    }
  })

  test('the return mailbox is read over IMAPS, with a certificate that verifies', async () => {
    await send('us', 'rt@ap.probe.test', 'returned')
    await until('the mail in the mailbox', () => lab.returns.mails('rt').length > 0, { withinMs: arrivesWithinMs })
    const { user, password, host, authorityFile } = lab.returnMailbox
    const mails = await readMailbox(lab.host('ap'), { user, password, host, authorityFile })
    assert.equal(mails.filter((mail) => mail.includes('Subject: returned')).length, 1)
  })

  test('an unknown user is refused with 550', async () => {
    const { ok, reply } = await send('eu', 'nobody-of-that-name@customer.test', 'who')
    assert.equal(ok, false)
    assert.match(reply, /^550 5\.1\.1 /)
  })
})

describe('the lab: the customer’s mail system misbehaves, for one user only', { concurrency: true }, () => {
  test('it refuses, and accepts again', async () => {
    const address = lab.customer.addUser('refused')
    lab.customer.refuse('550 5.1.1 No such user here', 'refused')
    assert.match((await send('eu', address, 'one')).reply, /^550 5\.1\.1 .*No such user here/)
    lab.customer.accept('refused')
    assert.equal((await send('eu', address, 'two')).ok, true)
    await until('the mail', () => lab.customer.mails('refused').length === 1, { withinMs: arrivesWithinMs })
  })

  test('it greylists', async () => {
    const address = lab.customer.addUser('greylisted')
    lab.customer.greylist('greylisted')
    assert.match((await send('eu', address, 'too early')).reply, /^451 4\.7\.1 /)
  })

  test('it accepts and discards', async () => {
    const address = lab.customer.addUser('discarded')
    lab.customer.discard('discarded')
    assert.match((await send('eu', address, 'swallowed')).reply, /^250 /)
    lab.customer.accept('discarded')
    await send('eu', address, 'after it')
    const [only, ...more] = await until('the later mail', () => nonEmpty(lab.customer.mails('discarded')), {
      withinMs: arrivesWithinMs,
    })
    assert.match(only ?? '', /Subject: after it/)
    assert.deepEqual(more, [])
  })

  test('it holds mail back and releases it', async () => {
    const address = lab.customer.addUser('held')
    lab.customer.hold('held')
    assert.match((await send('eu', address, 'slow')).reply, /^250 /)
    await until('the mail on hold', async () => (await lab.customer.held('held')).length === 1, { withinMs: arrivesWithinMs })
    await lab.customer.release('held')
    await until('the mail', () => lab.customer.mails('held').length === 1, { withinMs: arrivesWithinMs })
  })
})

describe('the lab: network', () => {
  test('the regions are differently far away', async () => {
    const address = lab.customer.addUser('measured')
    const expected = { infra: 0, eu: 20, us: 90, ap: 180 }
    for (const [name, roundTripMs] of Object.entries(expected)) {
      const { connectMs = -1 } = await send(name, address, `from ${name}`)
      // The upper bound is wide, because the machine may be busy.
      assert.ok(connectMs >= roundTripMs && connectMs < roundTripMs + 80, `${name}: ${connectMs} ms, expected ${roundTripMs} ms`)
    }
  })

  test('a region that is cut off from the customer fails silently, the others go on, and it heals', async () => {
    const address = lab.customer.addUser('cut-off')
    const undo = lab.network.faults.cut(lab.host('us'), lab.customer.host)
    const [us, eu] = await Promise.all([send('us', address, 'cut'), send('eu', address, 'not cut')])
    assert.equal(us.ok, false)
    assert.equal(us.connectMs, undefined)
    assert.equal(eu.ok, true)
    undo()
    assert.equal((await send('us', address, 'healed')).ok, true)
  })

  test('a dropped port is silent, while other ports of the host answer', async () => {
    const undo = lab.network.faults.dropPort(lab.returns.host, 25)
    const dropped = await send('ap', 'rt@ap.probe.test', 'dropped')
    assert.equal(dropped.connectMs, undefined)
    const { user, password, host, authorityFile } = lab.returnMailbox
    await readMailbox(lab.host('ap'), { user, password, host, authorityFile })
    undo()
    assert.equal((await send('ap', 'rt@ap.probe.test', 'not dropped')).ok, true)
  })

  test('an isolated host reaches nobody, and heal ends every fault', async () => {
    const address = lab.customer.addUser('isolated')
    lab.network.faults.isolate(lab.host('ap'))
    lab.network.faults.dropPort(lab.customer.host, 25)
    assert.equal((await send('ap', address, 'isolated')).ok, false)
    lab.network.faults.heal()
    assert.equal((await send('ap', address, 'healed')).ok, true)
  })
})

describe('the lab: servers', () => {
  test('a stopped Postfix refuses connections at once, and starts again', async () => {
    const address = lab.customer.addUser('stopped')
    await lab.customer.stop()
    assert.match((await send('eu', address, 'away')).reply, /ECONNREFUSED/)
    await lab.customer.start()
    assert.equal((await send('eu', address, 'back')).ok, true)
  })

  test('one more customer has a mail system of its own', async () => {
    const second = await lab.addCustomer('second')
    const address = second.addUser('scout')
    await lab.customer.stop()
    assert.equal((await send('eu', address, 'to the second')).ok, true)
    await lab.customer.start()
    await until('the mail', () => second.mails('scout').length === 1, { withinMs: arrivesWithinMs })
  })

  test('the database takes the connection that its URL describes, inside the coordinator’s host only', async () => {
    const program = `import postgres from 'postgres'
      const sql = postgres(process.argv[1], { connect_timeout: 2 })
      console.log((await sql\`select current_user as who\`)[0].who)
      await sql.end()`
    const ask = (host: string, url: string) =>
      mustRunInside(lab.host(host), [process.execPath, '--input-type=module', '-e', program, url])
    assert.equal((await ask('coordinator', lab.database.url)).trim(), 'mailscout')
    const fromAfar = lab.database.url.replace('127.0.0.1', lab.host('coordinator').address)
    await assert.rejects(ask('eu', fromAfar))
  })

  test('the database survives kill -9', async () => {
    await lab.database.query('create table survivor as select 42 as answer')
    await lab.database.kill()
    await assert.rejects(lab.database.query('select 1'))
    await lab.database.start()
    assert.equal(await lab.database.query('select answer from survivor'), '42')
  })
})

describe('the lab: SMS gateway', { concurrency: true }, () => {
  const post = (to: string) => {
    const url = lab.sms.url.replace('{to}', encodeURIComponent(to)).replace('{text}', encodeURIComponent('mail is down'))
    const script = `fetch(process.argv[1], { signal: AbortSignal.timeout(2000) }).then(({ status }) => console.log(status), () => console.log('none'))`
    return mustRunInside(lab.host('coordinator'), [process.execPath, '-e', script, url]).then((text) => text.trim())
  }

  test('it records what it accepts', async () => {
    assert.equal(await post('+61400000001'), '202')
    const [request] = lab.sms.received('+61400000001')
    assert.equal(request?.text, 'mail is down')
  })

  test('it refuses, hangs, and loses its answer, each for the number that it was told', async () => {
    lab.sms.behave('refuse', '+61400000002')
    lab.sms.behave('hang', '+61400000003')
    lab.sms.behave('accept-then-hang', '+61400000004')
    assert.deepEqual(await Promise.all(['2', '3', '4'].map((last) => post(`+6140000000${last}`))), ['500', 'none', 'none'])
    assert.deepEqual(
      lab.sms.requests('+61400000002').map((request) => request.sent),
      [false],
    )
    assert.deepEqual(lab.sms.received('+61400000003'), [])
    assert.equal(lab.sms.received('+61400000004').length, 1)
  })
})

describe('the lab: programs', () => {
  test('a program is reached over HTTP from outside, dies by kill -9, and comes back', async () => {
    const server = `require('node:http').createServer((q, s) => s.end(JSON.stringify({ pid: process.pid }))).listen(8080, () => console.log('ready'))`
    const program = lab.programs.start({ name: 'web', at: lab.host('coordinator'), command: [process.execPath, '-e', server] })
    await program.awaitLog(/ready/)
    const client = await HttpClient.to(lab.programs, lab.host('coordinator'), 8080, join(lab.directory, 'run'))
    assert.deepEqual((await client.call('/')).json, { pid: program.pid })
    await program.kill()
    assert.equal(program.alive, false)
    await assert.rejects(client.call('/'))
    program.start()
    await program.awaitLog(/ready/)
    assert.deepEqual((await client.call('/')).json, { pid: program.pid })
    await program.stop()
  })
})

function nonEmpty<T>(list: T[]): T[] | undefined {
  return list.length > 0 ? list : undefined
}
