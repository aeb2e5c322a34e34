// What is written down about a folder of weight diffs, or the checkpoints of one fine-tune, that were all asked the same question: answers with calibrated confidence.
import { provenanceSchema } from '../provenance-record.js';
import { checkFormat, fromJson, toJson } from '../record-text.js';
import { between, finite, list, object, oneOf, orNull, row, text, whole, yesNo } from '../schema.js';
import type { Infer, Issue, Json } from '../schema.js';
import {
  adapterFaults,
  adapterSchema,
  ascendingFaults,
  baseSchema,
  calibrationSchema,
  decisionSchema,
  intervalFault,
  likelySchema,
  nameSchema,
  repeats,
  shareSchema,
  tableFaults,
  tablesSchema,
} from './dit-parts.js';

/** What the field `format` of an audit says. */
export const AUDIT_FORMAT = 'limn-dit-audit/1';

/** One diff, or one checkpoint. */
const auditRow = object(
  {
    /** Of its folder or file; each once. */
    name: nameSchema,
    /** Greedy, without the end. */
    answer: text({ longest: 4000 }),
    /** Calibrated probability of the answer, or of "none" where that is what was decided. */
    confidence: shareSchema,
    /** Calibrated probability of "none". */
    none: shareSchema,
    decision: decisionSchema,
    /** Candidates, the likeliest first. */
    top: likelySchema,
  },
  {
    /** What it was trained to have; null where it is known to have been trained for nothing that can be asked for. */
    label: orNull(nameSchema),
    /** Whether the decision, and where it is `changed` the answer, agree with the label. */
    correct: yesNo,
    /** ‖ΔW‖ over all of its maps. */
    norm: between(0, Number.MAX_VALUE),
    /** Of a checkpoint: updates until then. */
    update: whole(),
  },
);

const rocSchema = object(
  {
    /** What is told apart: 'changed from clean'. */
    what: nameSchema,
    /** From (0, 0) to (1, 1), neither share falling. */
    points: list(object({ falsePositives: shareSchema, truePositives: shareSchema }, { threshold: finite }), {
      most: 20_000,
    }),
    area: shareSchema,
    positives: whole(1),
    negatives: whole(1),
  },
  {
    interval: row([shareSchema, shareSchema], []),
    /** Place in `points` of the threshold that decides. */
    chosen: whole(),
  },
);

/** Probabilities over the checkpoints of one fine-tune. */
const watchSchema = object({
  /** What `at` counts: 'update'. */
  unit: nameSchema,
  /** Ascending. */
  at: list(finite, { most: 10_000 }),
  /** One value for each of `at`, null where it was not asked; `kind` tells "none" from answers, and the one that was trained for, if that is known. */
  lines: list(
    object({
      name: nameSchema,
      kind: oneOf('answer', 'label', 'none'),
      values: list(orNull(shareSchema), { most: 10_000 }),
    }),
    { most: 20 },
  ),
});

const auditSchema = object(
  {
    format: oneOf(AUDIT_FORMAT),
    provenance: provenanceSchema,
    title: text({ longest: 500 }),
    base: baseSchema,
    adapter: adapterSchema,
    question: text({ longest: 4000 }),
    /** The standing note: an interpretation is a model's output. */
    note: text(),
    /** Ranked: what is most surely changed first. */
    rows: list(auditRow, { most: 20_000 }),
  },
  {
    calibration: calibrationSchema,
    /** What could not be asked, and why. */
    refused: list(object({ name: nameSchema, reason: text() }), { most: 20_000 }),
    roc: list(rocSchema, { most: 10 }),
    watch: watchSchema,
    tables: tablesSchema,
  },
);

/**
 * The record of many diffs, or checkpoints, that were asked one question.
 * @useDeclaredType
 */
export type DitAuditRecord = Infer<typeof auditSchema>;
/**
 * One diff, or checkpoint, of an audit.
 * @useDeclaredType
 */
export type DitAuditRow = Infer<typeof auditRow>;
/**
 * How changed diffs are told from others at every threshold.
 * @useDeclaredType
 */
export type DitAuditRoc = Infer<typeof rocSchema>;
/**
 * Probabilities over the checkpoints of one fine-tune.
 * @useDeclaredType
 */
export type DitWatchRecord = Infer<typeof watchSchema>;

/** The JSON Schema of an audit, for other tools. */
export const ditAuditJsonSchema: Readonly<Record<string, Json>> = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  title: 'limn DIT audit',
  ...auditSchema.json,
};

/**
 * Returns `value` typed.
 * @throws ReportError `data/record-invalid` with every fault's JSON Pointer (the first 50), `data/record-version`
 */
export function checkDitAudit(value: unknown): DitAuditRecord {
  return checkFormat(AUDIT_FORMAT, auditSchema, value, inconsistencies);
}

/**
 * Checked, with access tokens masked, as JSON text with a final newline.
 * @throws ReportError as `checkDitAudit`
 */
export function ditAuditToJson(audit: DitAuditRecord): string {
  return toJson(checkDitAudit(audit));
}

/**
 * Parses and checks.
 * @throws ReportError `data/record-json` when the text is not JSON, and as `checkDitAudit`
 */
export function ditAuditFromJson(json: string): DitAuditRecord {
  return checkDitAudit(fromJson(json));
}

/** What a schema of single values cannot say: names that stand twice, curves that fall, and lines that are not as long as their axis. */
function inconsistencies({ adapter, rows, refused = [], roc = [], watch, tables = [] }: DitAuditRecord): Issue[] {
  return [
    ...adapterFaults(adapter),
    ...repeats('/rows', rows, ({ name }) => name, 'each name once'),
    ...repeats('/refused', refused, ({ name }) => name, 'each name once'),
    ...roc.flatMap(rocFaults),
    ...(watch ? [...ascendingFaults('/watch/at', watch.at), ...lineFaults(watch)] : []),
    ...tableFaults(tables),
  ];
}

function rocFaults({ points, interval, chosen }: DitAuditRoc, i: number): Issue[] {
  const path = `/roc/${i}`;
  const fall = points.findIndex(({ falsePositives: x, truePositives: y }, p) => {
    const before = points[p - 1];
    return before !== undefined && (x < before.falsePositives || y < before.truePositives);
  });
  const [allowed, place] = ['shares that do not fall', `${path}/points/${fall}`];
  return [
    ...(fall < 0 ? [] : [{ path: place, given: 'a share below the one before', allowed }]),
    ...(interval ? intervalFault(`${path}/interval`, interval) : []),
    ...(chosen === undefined || chosen < points.length
      ? []
      : [{ path: `${path}/chosen`, given: String(chosen), allowed: `a place below ${points.length}` }]),
  ];
}

const lineFaults = ({ at, lines }: DitWatchRecord): Issue[] =>
  lines.flatMap(({ values }, i) =>
    values.length === at.length
      ? []
      : [
          {
            path: `/watch/lines/${i}/values`,
            given: `${values.length} values`,
            allowed: `${at.length}, one for each of at`,
          },
        ],
  );
