// Indirect object identification: "when A and B went to the store , B gave a ring to A ." and its ABC corruption.
import { fill } from './document.js';
import type { Document } from './document.js';
import { drawUntil } from './family.js';
import type { Contrast, Family } from './family.js';
import { NEVER_RECEIVER, isNamePairHeldOut, missingFrame } from './held-out.js';
import type { Split } from './held-out.js';
import type { Random } from './random.js';
import { NAMES, NAME_GENDER, OBJECTS, PLACES } from './words.js';

/** [name, pattern]; `first` and `second` are the two people, `giver` the one who acts, `receiver` the answer. */
export const IOI_FRAMES: readonly (readonly [string, string])[] = [
  ['when-went', 'when {first} and {second} went to the {place} , {giver} gave a {object} to {!receiver} .'],
  ['after-went', 'after {first} and {second} went to the {place} , {giver} handed a {object} to {!receiver} .'],
  ['then-went', 'then {first} and {second} went to the {place} . {giver} gave a {object} to {!receiver} .'],
  ['while-at', 'while {first} and {second} were at the {place} , {giver} passed a {object} to {!receiver} .'],
  ['went-then', '{first} and {second} went to the {place} . then {giver} gave a {object} to {!receiver} .'],
  ['got-decided', 'when {first} and {second} got a {object} at the {place} , {giver} decided to give it to {!receiver} .'],
  ['found', '{first} and {second} found a {object} at the {place} . {giver} gave it to {!receiver} .'],
  ['after-left', 'after {first} and {second} left the {place} , {giver} sent a {object} to {!receiver} .'],
  ['friends', 'the friends {first} and {second} met at the {place} . {giver} passed a {object} to {!receiver} .'],
  ['had-lunch', '{first} and {second} had lunch at the {place} , then {giver} gave a {object} to {!receiver} .'],
];

interface Scene {
  readonly frame: number;
  /** Whether the receiver is named first (ABBA: A and B …, B gave to A). */
  readonly receiverFirst: boolean;
  readonly receiver: string;
  /** The other of the two people. */
  readonly other: string;
  /** Who acts: `other` in an ordinary document, a third person in the ABC form. */
  readonly giver: string;
  readonly place: string;
  readonly object: string;
}

function compose(scene: Scene): Document {
  const [name, pattern] = IOI_FRAMES[scene.frame] ?? ['', ''];
  const abc = scene.giver !== scene.other;
  const order = abc ? 'abc' : scene.receiverFirst ? 'abba' : 'baba';
  const person = (word: string, role: string): { word: string; role: string; gender: 'he' | 'she' } => ({
    word,
    role,
    gender: NAME_GENDER.get(word) ?? 'he',
  });
  const receiver = person(scene.receiver, 'io');
  const other = person(scene.other, abc ? 'other' : 's1');
  return fill('ioi', `ioi/${name}/${order}`, pattern, {
    first: scene.receiverFirst ? receiver : other,
    second: scene.receiverFirst ? other : receiver,
    giver: person(scene.giver, abc ? 'third' : 's2'),
    receiver: person(scene.receiver, 'answer'),
    place: { word: scene.place, role: 'place' },
    object: { word: scene.object, role: 'object' },
  });
}

/** Which rule keeps a scene out of training; undefined when none does. `abc` has two possible receivers. */
export function ioiHeldOut(
  frame: number,
  receiver: string,
  other: string,
  giver: string,
): 'pair' | 'frame' | 'receiver' | undefined {
  if (NEVER_RECEIVER.has(receiver) || (giver !== other && NEVER_RECEIVER.has(other))) return 'receiver';
  if (isNamePairHeldOut(receiver, other)) return 'pair';
  if ([receiver, other, giver].some((name) => missingFrame(name, IOI_FRAMES.length) === frame)) return 'frame';
  return undefined;
}

const otherThan = (random: Random, ...taken: readonly string[]): string =>
  drawUntil(
    () => random.pick(NAMES),
    (name) => !taken.includes(name),
  );

function drawScene(random: Random, abc: boolean): Scene {
  const receiver = random.pick(NAMES);
  const other = otherThan(random, receiver);
  return {
    frame: random.below(IOI_FRAMES.length),
    receiverFirst: random.percent(50),
    receiver,
    other,
    giver: abc ? otherThan(random, receiver, other) : other,
    place: random.pick(PLACES),
    object: random.pick(OBJECTS),
  };
}

const rule = (scene: Scene): 'pair' | 'frame' | 'receiver' | undefined =>
  ioiHeldOut(scene.frame, scene.receiver, scene.other, scene.giver);

/** A third of the documents are ABC, so that a corrupted prompt is an ordinary document with two equal answers. */
export const ABC_PERCENT = 33;

export const ioiFamily: Family = {
  id: 'ioi',
  draw: (random) => {
    const abc = random.percent(ABC_PERCENT);
    return compose(
      drawUntil(
        () => drawScene(random, abc),
        (scene) => rule(scene) === undefined,
      ),
    );
  },
};

/** Clean ABBA or BABA; corrupted: the giver becomes a third person. Held-out scenes are half new pairs, a quarter new frames, a quarter new receivers. */
export function ioiContrast(random: Random, split: Split): Contrast {
  const wanted = split === 'train' ? undefined : (['pair', 'pair', 'frame', 'receiver'] as const)[random.below(4)];
  const scene = drawUntil(
    () => drawScene(random, false),
    (drawn) => rule(drawn) === wanted,
  );
  const third = drawUntil(
    () => otherThan(random, scene.receiver, scene.other),
    (name) => missingFrame(name, IOI_FRAMES.length) !== scene.frame,
  );
  const clean = compose(scene);
  return {
    clean,
    corrupted: compose({ ...scene, giver: third }),
    correct: [scene.receiver],
    incorrect: [scene.other],
    labels: { template: clean.template, heldOut: wanted ?? 'none' },
  };
}
