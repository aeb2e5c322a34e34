// What kernel tests import from 'vitest', of its parts that need neither Vite nor a worker: in the pack it takes vitest's place.
import {
  ASYMMETRIC_MATCHERS_OBJECT,
  chai,
  customMatchers,
  getState,
  GLOBAL_EXPECT,
  JestAsymmetricMatchers,
  JestChaiExpect,
  JestExtend,
  setState,
  type ExpectStatic,
  type MatcherState,
} from '@vitest/expect';
import { getCurrentTest } from '@vitest/runner';

export { afterAll, afterEach, beforeAll, beforeEach, describe, it, suite, test } from '@vitest/runner';
export type { TestContext } from '@vitest/runner';
export { vi } from './vi.mjs';

chai.use(JestExtend);
chai.use(JestChaiExpect);
chai.use(JestAsymmetricMatchers);

export const expect = makeExpect();

/** `expect` with the matchers of chai and Jest, bound to the test that runs: what vitest makes, without snapshots and polling. */
function makeExpect(): ExpectStatic {
  const globals = globalThis as unknown as Record<string | symbol, object>;
  const expect = ((value: unknown, message?: string) => {
    const assertion = chai.expect(value, message) as unknown as { withTest(test: unknown): unknown };
    const test = getCurrentTest();
    return test ? assertion.withTest(test) : assertion;
  }) as unknown as ExpectStatic;
  Object.assign(expect, chai.expect, globals[ASYMMETRIC_MATCHERS_OBJECT as unknown as symbol]);
  expect.getState = <S extends MatcherState>(): S => getState<S>(expect);
  expect.setState = (state) => setState(state, expect);
  setState({ assertionCalls: 0, isExpectingAssertions: false, expectedAssertionsNumber: null } as never, expect);
  const extensible = chai.expect as unknown as { extend(expect: ExpectStatic, matchers: object): void };
  expect.extend = (matchers) => extensible.extend(expect, matchers);
  expect.unreachable = (message) => chai.assert.fail(`expected${message ? ` "${message}"` : ''} not to be reached`);
  globals[GLOBAL_EXPECT as unknown as symbol] = expect;
  expect.extend(customMatchers);
  return expect;
}
