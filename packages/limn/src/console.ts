// Where a command speaks: results on stdout, everything else on stderr, a progress bar on a terminal and plain lines elsewhere.
import { SingleBar, Presets } from 'cli-progress';
import { visibleText } from './visible-text.js';

/** The part of a Node stream that a command writes to. */
export interface TextStream {
  /** Takes a piece of text; what it returns is not looked at. */
  write(text: string): unknown;
  readonly isTTY?: boolean | undefined;
}

/** How far a long job has come; `unit` names what is counted. */
export interface ProgressEvent {
  readonly phase: string;
  readonly done: number;
  readonly total: number;
  readonly unit?: string;
  /** Figures of the moment, e.g. the loss. */
  readonly note?: string;
}

export interface ConsoleOptions {
  readonly stdout: TextStream;
  readonly stderr: TextStream;
  readonly json: boolean;
  readonly quiet: boolean;
  /** Milliseconds; tests pass their own clock. */
  readonly now?: () => number;
}

/** Plain progress lines come at most this often, and always at the end of a phase. */
const LINE_INTERVAL_MS = 5000;
/** A phase that took less is not worth a line of its own. */
const WORTH_A_LINE_MS = 500;

export class Console {
  readonly json: boolean;
  readonly quiet: boolean;
  readonly #stdout: TextStream;
  readonly #stderr: TextStream;
  readonly #now: () => number;
  #bar: SingleBar | undefined;
  #phase: string | undefined;
  #phaseStart = 0;
  /** What was done already when the phase began: a run that goes on. */
  #doneBefore = 0;
  #lastLine = 0;

  constructor(options: ConsoleOptions) {
    this.#stdout = options.stdout;
    this.#stderr = options.stderr;
    this.json = options.json;
    this.quiet = options.quiet;
    this.#now = options.now ?? (() => performance.now());
  }

  /** A line of the result for people, on stdout; silent with --json and --quiet. Control characters are shown as symbols. */
  say(line = ''): void {
    if (!this.json && !this.quiet) this.#stdout.write(`${visibleText(line)}\n`);
  }

  /** A piece of a result for people, on stdout, as soon as it is there; lines end where the text has line ends. Silent as `say`. */
  part(text: string): void {
    if (this.json || this.quiet || text === '') return;
    this.endProgress();
    this.#stdout.write(text.split('\n').map(visibleText).join('\n'));
  }

  /** The result for programs: one JSON line on stdout, only with --json. */
  result(value: Readonly<Record<string, unknown>>): void {
    if (this.json) this.#stdout.write(`${JSON.stringify(value)}\n`);
  }

  /** A remark that is not the result, on stderr; silent with --quiet. */
  note(line: string): void {
    this.endProgress();
    if (!this.quiet) this.#stderr.write(`${visibleText(line)}\n`);
  }

  /** An error or a warning, on stderr, always. */
  warn(line: string): void {
    this.endProgress();
    this.#stderr.write(`${line.split('\n').map(visibleText).join('\n')}\n`);
  }

  /** Passed as onProgress to whatever takes long. */
  readonly progress = (event: ProgressEvent): void => {
    if (this.quiet) return;
    if (this.#stderr.isTTY === true) this.#drawBar(event);
    else this.#writeLine(event);
  };

  /** Leaves the bar where it is and starts a new line; harmless when there is none. */
  endProgress(): void {
    this.#bar?.stop();
    this.#bar = undefined;
    this.#phase = undefined;
  }

  #drawBar(event: ProgressEvent): void {
    if (this.#phase !== event.phase) {
      this.endProgress();
      this.#phase = event.phase;
      this.#bar = new SingleBar(
        {
          format: '{phase} {bar} {percentage}% · {value}/{total} {unit} · {eta_formatted} left {note}',
          stream: this.#stderr as NodeJS.WritableStream,
          hideCursor: false,
          fps: 8,
          barsize: 24,
          stopOnComplete: false,
        },
        Presets.shades_classic,
      );
      this.#bar.start(event.total, event.done, payloadOf(event));
    }
    this.#bar?.setTotal(event.total);
    this.#bar?.update(event.done, payloadOf(event));
    if (event.done >= event.total) this.endProgress();
  }

  #writeLine(event: ProgressEvent): void {
    const now = this.#now();
    const complete = event.done >= event.total;
    if (this.#phase !== event.phase) {
      this.#phase = event.phase;
      this.#phaseStart = now;
      this.#doneBefore = event.done;
      this.#lastLine = now;
      if (event.done === 0 && !complete) this.#stderr.write(`${visibleText(event.phase)} …\n`);
    }
    const early = complete ? now - this.#phaseStart < WORTH_A_LINE_MS : now - this.#lastLine < LINE_INTERVAL_MS;
    if (complete) this.#phase = undefined;
    if (early) return;
    this.#lastLine = now;
    const seconds = (now - this.#phaseStart) / 1000;
    const doneSince = event.done - this.#doneBefore;
    const left =
      complete || doneSince <= 0 ? '' : `, ${shownTime((seconds / doneSince) * (event.total - event.done))} left`;
    const note = event.note === undefined ? '' : ` · ${event.note}`;
    const line = `${event.phase}: ${event.done}/${event.total} ${event.unit ?? ''} (${seconds.toFixed(1)} s${left})${note}`;
    this.#stderr.write(`${visibleText(line)}\n`);
  }
}

function payloadOf(event: ProgressEvent): { phase: string; unit: string; note: string } {
  return { phase: visibleText(event.phase), unit: event.unit ?? '', note: visibleText(event.note ?? '') };
}

/** '40 s', '12 min', '3.5 h': no more than is known of the time that something will take. */
function shownTime(seconds: number): string {
  if (seconds < 90) return `${Math.ceil(seconds)} s`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}
