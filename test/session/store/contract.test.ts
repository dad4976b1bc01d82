import { describe } from 'vitest'
import { failoverCases } from './contract/failover.cases.ts'
import { feedCases } from './contract/feed.cases.ts'
import { indexCases } from './contract/indexes.cases.ts'
import { lostAnswerCases } from './contract/lost-answers.cases.ts'
import { manyCases } from './contract/many.cases.ts'
import { markCases } from './contract/marks.cases.ts'
import { outageCases } from './contract/outages.cases.ts'
import { rightsCases } from './contract/rights.cases.ts'
import { sessionCases } from './contract/sessions.cases.ts'
import { subjects } from './contract/subjects.ts'
import { testedStore } from './contract/tested.ts'

/** The one contract, of every kind of store: what it does, and what it does when something goes wrong. */
describe.each(subjects)('the session store in $name', (subject) => {
  const tested = testedStore(subject)
  sessionCases(tested)
  markCases(tested)
  indexCases(tested)
  manyCases(tested)
  feedCases(tested)
  lostAnswerCases(tested)
  rightsCases(tested)
  outageCases(tested)
  failoverCases(tested)
})
