/** The order of test files: the guest first, which waits for another kernel for minutes and leaves the processors to the
 *  rest meanwhile; then as vitest has it. */
import { BaseSequencer, type TestSpecification } from 'vitest/node'

const isGuest = ({ moduleId }: TestSpecification): boolean => moduleId.includes('/test/vm/')

export class GuestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files)
    return [...sorted.filter(isGuest), ...sorted.filter((file) => !isGuest(file))]
  }
}
