/** From the rows of the spool to the body of a batch. Pure. */
import { isMailscoutError } from '../common/errors.ts'
import type { ResultBatch } from '../common/wire/documents.ts'
import { checker } from '../common/wire/schema.ts'
import { ControlTrip, LateReturn, Overdue, RouteTest, TestResult } from '../common/wire/test.ts'
import type { SpooledRecord } from './spool.ts'

export type SortedRecords = {
  body: Pick<ResultBatch, 'results' | 'overdues' | 'lates' | 'controls' | 'routes'>
  /** Of the records in the body. */
  seqs: number[]
  malformed: { seq: number; id: string; why: string }[]
}

const checkResult = checker(TestResult, 'RESULT_MALFORMED')
const checkOverdue = checker(Overdue, 'RESULT_MALFORMED')
const checkLate = checker(LateReturn, 'RESULT_MALFORMED')
const checkControl = checker(ControlTrip, 'RESULT_MALFORMED')
const checkRoute = checker(RouteTest, 'RESULT_MALFORMED')

/** Every record is checked here, because a single one out of shape would cost its whole batch. */
export function sortRecords(records: readonly SpooledRecord[]): SortedRecords {
  const body: SortedRecords['body'] = { results: [], overdues: [], lates: [], controls: [] }
  const seqs: number[] = []
  const malformed: SortedRecords['malformed'] = []
  for (const record of records) {
    try {
      add(body, record)
      seqs.push(record.seq)
    } catch (error) {
      if (!isMailscoutError(error)) throw error
      malformed.push({ seq: record.seq, id: record.id, why: error.message })
    }
  }
  return { body, seqs, malformed }
}

function add(body: SortedRecords['body'], record: SpooledRecord): void {
  const value: unknown = JSON.parse(record.json)
  switch (record.kind) {
    case 'result':
      body.results.push(checkResult(value))
      return
    case 'overdue':
      body.overdues.push(checkOverdue(value))
      return
    case 'late':
      body.lates.push(checkLate(value))
      return
    case 'control':
      body.controls.push(checkControl(value))
      return
    case 'route':
      body.routes = [...(body.routes ?? []), checkRoute(value)]
      return
  }
}
