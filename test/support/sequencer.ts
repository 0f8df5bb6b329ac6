/** The order of test files: the longest first, so that no worker is left with one at the end. The guest waits for another
 *  kernel for minutes and leaves the processors to the rest meanwhile. Then as vitest has it. */
import { BaseSequencer, type TestSpecification } from 'vitest/node'

const LONGEST = ['/test/vm/', '/test/conformance/', '/test/crash/']

const rankOf = ({ moduleId }: TestSpecification): number => {
  const rank = LONGEST.findIndex((folder) => moduleId.includes(folder))
  return rank < 0 ? LONGEST.length : rank
}

export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files)
    return sorted.toSorted((a, b) => rankOf(a) - rankOf(b))
  }
}
