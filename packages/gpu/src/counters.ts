// Plain numbers that tell what a Gpu has done: tests and reports read them at any time.

/** Counts since the Gpu was opened or `resetCounters` was called; the three `…Live` and `bytesPeak` describe the present. */
export class Counters {
  submits = 0;
  dispatches = 0;
  buffersCreated = 0;
  bindGroupsCreated = 0;
  pipelinesCreated = 0;
  plansCreated = 0;
  uploads = 0;
  readbacks = 0;
  /** GPU buffers that exist now, pooled ones included. */
  buffersLive = 0;
  /** Their bytes. */
  bytesLive = 0;
  /** Largest bytesLive since the last reset. */
  bytesPeak = 0;

  /** A copy, for differences. */
  snapshot(): CounterSnapshot {
    return { ...this };
  }

  /** What was added since an earlier snapshot, field by field. */
  since(earlier: CounterSnapshot): CounterSnapshot {
    const now = this.snapshot();
    for (const name of Object.keys(now) as (keyof CounterSnapshot)[]) now[name] -= earlier[name];
    return now;
  }

  /** Sets the counts to zero, keeps what is live, and lets the peak start from there. */
  reset(): void {
    const { buffersLive, bytesLive } = this;
    Object.assign(this, new Counters(), { buffersLive, bytesLive, bytesPeak: bytesLive });
  }
}

/** The numbers of Counters without its methods. */
export type CounterSnapshot = { -readonly [K in keyof Counters as Counters[K] extends number ? K : never]: number };
