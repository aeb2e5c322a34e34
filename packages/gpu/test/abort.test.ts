// What a call that was stopped throws: one class and code, what was stopped, how far it was, and why.
import { expect, it } from 'vitest';
import { AbortedError, throwIfAborted } from '../src/index.js';

it('throws nothing without a signal or before it fires, and afterwards an AbortedError that keeps the reason', () => {
  const stop = new AbortController();
  throwIfAborted(undefined, 'the run');
  throwIfAborted(stop.signal, 'the run', { done: 1, total: 2 });
  const reason = new Error('enough');
  stop.abort(reason);
  const thrown = (progress?: { done: number; total: number }): unknown => {
    try {
      throwIfAborted(stop.signal, 'the run', progress);
    } catch (error) {
      return error;
    }
    return undefined;
  };
  expect(thrown()).toBeInstanceOf(AbortedError);
  expect(thrown()).toMatchObject({ code: 'aborted', message: 'the run was aborted', details: {}, cause: reason });
  expect(thrown({ done: 3, total: 8 })).toMatchObject({
    message: 'the run was aborted after 3 of 8 operations',
    details: { done: 3, total: 8 },
  });
});
