/** Standing orders on disk: the manifest in force, and the pages by their hash. */
import type { Store } from './store.ts'

export type OrderStore = {
  manifest(): { jws: string; acceptedMs: number } | undefined
  pages(): { hash: string; jws: string }[]
  savePage(hash: string, jws: string): void
  forgetPage(hash: string): void
  /** Puts a manifest in force and forgets the pages that it does not name, in one transaction. */
  swap(next: { jws: string; acceptedMs: number; pageHashes: readonly string[] }): void
}

export function createOrderStore(store: Store): OrderStore {
  const { database } = store
  database.exec(`
    CREATE TABLE IF NOT EXISTS order_manifest (one INTEGER PRIMARY KEY CHECK (one = 1), jws TEXT NOT NULL, accepted_ms INTEGER NOT NULL);
    CREATE TABLE IF NOT EXISTS order_pages (hash TEXT PRIMARY KEY, jws TEXT NOT NULL);
  `)
  const selectManifest = database.prepare('SELECT jws, accepted_ms FROM order_manifest')
  const selectPages = database.prepare('SELECT hash, jws FROM order_pages')
  const selectHashes = database.prepare('SELECT hash FROM order_pages')
  const insertPage = database.prepare('INSERT INTO order_pages (hash, jws) VALUES (?, ?) ON CONFLICT (hash) DO NOTHING')
  const deletePage = database.prepare('DELETE FROM order_pages WHERE hash = ?')
  const replaceManifest = database.prepare('INSERT OR REPLACE INTO order_manifest (one, jws, accepted_ms) VALUES (1, ?, ?)')

  return {
    manifest() {
      const row = selectManifest.get()
      return row === undefined ? undefined : { jws: String(row.jws), acceptedMs: Number(row.accepted_ms) }
    },
    pages: () => selectPages.all().map((row) => ({ hash: String(row.hash), jws: String(row.jws) })),
    savePage(hash, jws) {
      insertPage.run(hash, jws)
    },
    forgetPage(hash) {
      deletePage.run(hash)
    },
    swap({ jws, acceptedMs, pageHashes }) {
      store.transaction(() => {
        replaceManifest.run(jws, acceptedMs)
        const keep = new Set(pageHashes)
        for (const row of selectHashes.all()) if (!keep.has(String(row.hash))) deletePage.run(String(row.hash))
      })
    },
  }
}
