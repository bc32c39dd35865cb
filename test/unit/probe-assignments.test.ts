import { describe, expect, it } from 'vitest'
import { hourMs } from '../../common/durations.ts'
import type { Page } from '../../common/wire/documents.ts'
import { OrderBook } from '../../probe/assignments.ts'
import { createCoordinatorKeys } from '../../probe/coordinator-keys.ts'
import { rootFromX } from '../../probe/identity.ts'
import { openStore, type Store } from '../../probe/store.ts'
import { FakeRuntime } from '../support/fake-runtime.ts'
import { Installation } from '../support/installation.ts'
import { assignmentOf, uuidOf } from '../support/plans.ts'
import { probeId, recordingLogger } from '../support/probe-parts.ts'

const home = new Installation()
const stranger = new Installation()
const one = [assignmentOf({ id: uuidOf(101) })]
const two = [assignmentOf({ id: uuidOf(102) })]

/** A probe's orders over a database that survives as long as `store` does. */
async function openBook(options: { store?: Store; runtime?: FakeRuntime; admit?: boolean } = {}) {
  const runtime = options.runtime ?? new FakeRuntime()
  const store = options.store ?? openStore(':memory:')
  const { logger, lines } = recordingLogger()
  const keys = createCoordinatorKeys({ store, root: rootFromX(home.root.x), logger })
  await keys.load(runtime.wallMs())
  if (options.admit ?? true) await keys.admit(await home.coordinatorCertificate(runtime.wallMs()), runtime.wallMs())
  const book = new OrderBook({ runtime, store, identity: { probeId, installation: home.name }, keys, logger })
  await book.load()
  const sign = async (version: number, pages: Page['assignments'][], changes: { validForMs?: number } = {}) => {
    const signed = await Promise.all(pages.map((page) => home.page(page, probeId)))
    const validUntil = runtime.wallMs() + (changes.validForMs ?? 72 * hourMs)
    const body = { version, valid_until: validUntil, page_hashes: signed.map(({ hash }) => hash) }
    return { pages: signed, manifest: await home.manifest(body, probeId, runtime.wallMs()) }
  }
  const receive = async (version: number, pages: Page['assignments'][], changes: { validForMs?: number } = {}) => {
    const signed = await sign(version, pages, changes)
    const answer = await book.acceptManifest(signed.manifest)
    if (answer.type !== 'want_pages') return answer
    let last: Awaited<ReturnType<OrderBook['acceptPage']>>
    for (const { hash, jws } of signed.pages) if (answer.hashes.includes(hash)) last = await book.acceptPage(hash, jws)
    return last
  }
  return { runtime, store, book, lines, sign, receive, ids: () => book.current().assignments.map(({ id }) => id) }
}

describe('standing orders', () => {
  it('are followed once the last page has come, and acknowledged then', async () => {
    const { book, sign, ids } = await openBook()
    const { manifest, pages } = await sign(1, [one, two])
    const [first, second] = pages
    if (first === undefined || second === undefined) throw new Error('two pages')
    expect(await book.acceptManifest(manifest)).toEqual({ v: 1, type: 'want_pages', hashes: [first.hash, second.hash] })
    expect(await book.acceptPage(second.hash, second.jws)).toBeUndefined()
    expect(ids()).toEqual([])
    expect(await book.acceptPage(first.hash, first.jws)).toEqual({ v: 1, type: 'applied', manifest_version: 1 })
    expect(ids()).toEqual([uuidOf(101), uuidOf(102)])
  })

  it('need only the pages that changed', async () => {
    const { book, sign, receive, ids } = await openBook()
    await receive(1, [one])
    const { manifest, pages } = await sign(2, [one, two])
    expect(await book.acceptManifest(manifest)).toMatchObject({ type: 'want_pages', hashes: [pages[1]?.hash] })
    expect(ids()).toEqual([uuidOf(101)])
  })

  it('tell whoever listens about every change', async () => {
    const { book, receive } = await openBook()
    let changes = 0
    const stop = book.onChange(() => {
      changes += 1
    })
    await receive(1, [one])
    await receive(2, [two])
    stop()
    await receive(3, [one])
    expect(changes).toBe(2)
  })

  it('may be empty', async () => {
    const { receive, ids } = await openBook()
    await receive(1, [one])
    expect(await receive(2, [])).toMatchObject({ type: 'applied' })
    expect(ids()).toEqual([])
  })

  it('are refused when forged, foreign, or signed by a key that no certificate vouches for, and the old ones stay', async () => {
    const { book, receive, ids, runtime } = await openBook()
    await receive(1, [one])
    const nowMs = runtime.wallMs()
    const refused = [
      ['AUDIENCE_WRONG', await home.manifest({ version: 2 }, uuidOf(7), nowMs)],
      ['ISSUER_UNKNOWN', await stranger.manifest({ version: 2 }, probeId, nowMs)],
      ['ISSUER_UNKNOWN', await home.manifest({ version: 2 }, probeId, nowMs, { key: home.root })],
      [
        'SIGNATURE_INVALID',
        await home.manifest({ version: 2 }, probeId, nowMs, { key: { ...stranger.coordinator, kid: home.coordinator.kid } }),
      ],
      ['DOCUMENT_TYPE_WRONG', (await home.page(two, probeId)).jws],
      ['DOCUMENT_EXPIRED', await home.manifest({ version: 2, valid_until: nowMs }, probeId, nowMs)],
    ] as const
    for (const [code, manifest] of refused) await expect(book.acceptManifest(manifest)).rejects.toMatchObject({ code })
    expect(ids()).toEqual([uuidOf(101)])
  })

  it('never go back to an older version, nor to an earlier end of the same', async () => {
    const { receive, ids } = await openBook()
    await receive(5, [one])
    await expect(receive(4, [two])).rejects.toMatchObject({ code: 'DOCUMENT_OUTDATED' })
    await expect(receive(5, [two], { validForMs: hourMs })).rejects.toMatchObject({ code: 'DOCUMENT_OUTDATED' })
    expect(ids()).toEqual([uuidOf(101)])
  })

  it('hold longer after a renewal of the same version', async () => {
    const { book, receive, runtime } = await openBook()
    await receive(5, [one])
    runtime.advance(hourMs)
    expect(await receive(5, [one])).toEqual({ v: 1, type: 'applied', manifest_version: 5 })
    expect(book.current().validUntilMs).toBe(runtime.wallMs() + 72 * hourMs)
  })

  it('answer a manifest that they have already', async () => {
    const { book, sign } = await openBook()
    const { manifest } = await sign(1, [])
    expect(await book.acceptManifest(manifest)).toEqual({ v: 1, type: 'applied', manifest_version: 1 })
    expect(await book.acceptManifest(manifest)).toEqual({ v: 1, type: 'applied', manifest_version: 1 })
  })

  it('refuse a page of the wrong hash, of the wrong signer, or that nobody asked for, and wait for the right one', async () => {
    const { book, sign, ids, runtime } = await openBook()
    const { manifest, pages } = await sign(1, [one])
    const [page] = pages
    if (page === undefined) throw new Error('one page')
    await book.acceptManifest(manifest)
    const other = await home.page(two, probeId)
    await expect(book.acceptPage(page.hash, other.jws)).rejects.toMatchObject({ code: 'SIGNATURE_INVALID' })
    await expect(book.acceptPage(other.hash, other.jws)).rejects.toMatchObject({ code: 'FRAME_UNEXPECTED' })
    expect(ids()).toEqual([])
    expect(await book.acceptPage(page.hash, page.jws)).toMatchObject({ type: 'applied' })

    const forged = await stranger.page(two, probeId, { issuer: home.name })
    await book.acceptManifest(await home.manifest({ version: 2, page_hashes: [forged.hash] }, probeId, runtime.wallMs()))
    await expect(book.acceptPage(forged.hash, forged.jws)).rejects.toMatchObject({ code: 'ISSUER_UNKNOWN' })
    expect(ids()).toEqual([uuidOf(101)])
  })

  it('end by themselves, with a word in the log, and come back with a renewal', async () => {
    const { book, receive, runtime, ids, lines } = await openBook()
    await receive(1, [one])
    let changes = 0
    book.onChange(() => {
      changes += 1
    })
    runtime.advance(72 * hourMs)
    expect(ids()).toEqual([])
    expect(changes).toBe(1)
    expect(lines.filter(({ code }) => code === 'DOCUMENT_EXPIRED')).toHaveLength(1)
    await receive(1, [one])
    expect(ids()).toEqual([uuidOf(101)])
  })
})

describe('standing orders after a restart', () => {
  it('are followed without any coordinator', async () => {
    const { store, receive, runtime } = await openBook()
    await receive(3, [one, two])
    runtime.advance(71 * hourMs)
    const again = await openBook({ store, runtime, admit: false })
    expect(again.ids()).toEqual([uuidOf(101), uuidOf(102)])
    expect(again.book.version()).toBe(3)
    runtime.advance(hourMs)
    expect(again.ids()).toEqual([])
  })

  it('are followed although the certificate of their signer has ended since', async () => {
    const runtime = new FakeRuntime()
    const store = openStore(':memory:')
    const keys = createCoordinatorKeys({ store, root: rootFromX(home.root.x), logger: recordingLogger().logger })
    const endsSoon = await home.coordinatorCertificate(runtime.wallMs(), { expiresAtMs: runtime.wallMs() + hourMs })
    await keys.admit(endsSoon, runtime.wallMs())
    const { receive } = await openBook({ store, runtime, admit: false })
    await receive(1, [one])
    runtime.advance(2 * hourMs)
    const again = await openBook({ store, runtime, admit: false })
    expect(again.ids()).toEqual([uuidOf(101)])
    await expect(again.receive(2, [two])).rejects.toMatchObject({ code: 'ISSUER_UNKNOWN' })
  })

  it('still refuse what is older', async () => {
    const { store, receive, runtime } = await openBook()
    await receive(5, [one])
    const again = await openBook({ store, runtime })
    await expect(again.receive(4, [two])).rejects.toMatchObject({ code: 'DOCUMENT_OUTDATED' })
  })

  it('go on with the pages that had come before', async () => {
    const { store, book, sign, runtime } = await openBook()
    const { manifest, pages } = await sign(1, [one, two])
    await book.acceptManifest(manifest)
    await book.acceptPage(pages[0]?.hash ?? '', pages[0]?.jws ?? '')
    const again = await openBook({ store, runtime })
    expect(await again.book.acceptManifest(manifest)).toMatchObject({ type: 'want_pages', hashes: [pages[1]?.hash] })
  })

  it('are not followed when somebody has changed them on disk, and are asked for again', async () => {
    const { store, receive, sign, runtime } = await openBook()
    await receive(1, [one])
    store.database.exec("UPDATE order_pages SET jws = replace(jws, 'a', 'b')")
    const again = await openBook({ store, runtime })
    expect(again.ids()).toEqual([])
    expect(again.lines.map(({ code }) => code)).toContain('SIGNATURE_INVALID')
    const { manifest } = await sign(1, [one])
    expect(await again.book.acceptManifest(manifest)).toMatchObject({ type: 'want_pages' })
  })
})
