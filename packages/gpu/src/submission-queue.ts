// Runs jobs one after another in the order they came: at once when nothing runs, else when those before have ended.

/** A chain of jobs. A job that fails rejects its own promise and does not stop the ones behind it. */
export class SubmissionQueue {
  #tail: Promise<unknown> | undefined;

  /** True when the next job would run inside `run` itself. */
  get idle(): boolean {
    return this.#tail === undefined;
  }

  /** Runs the job, synchronously if the chain is idle; only a job that returns a promise makes later ones wait. */
  run<T>(job: () => T | Promise<T>): Promise<T> {
    if (this.#tail) return this.#chain(this.#tail.then(job));
    let result: T | Promise<T>;
    try {
      result = job();
    } catch (error) {
      return Promise.reject(error);
    }
    return result instanceof Promise ? this.#chain(result) : Promise.resolve(result);
  }

  #chain<T>(result: Promise<T>): Promise<T> {
    const tail: Promise<unknown> = result.then(
      () => this.#end(tail),
      () => this.#end(tail),
    );
    this.#tail = tail;
    return result;
  }

  #end(tail: Promise<unknown>): void {
    if (this.#tail === tail) this.#tail = undefined;
  }
}
