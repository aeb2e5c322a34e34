// Indirect object identification: "when A and B went to the store , B gave a ring to A ." and its ABC corruption.
import { fill } from './document.js';
import type { Document } from './document.js';
import { drawUntil } from './family.js';
import type { Contrast, Family } from './family.js';
import { NEVER_RECEIVER, isNamePairHeldOut, missingFrame } from './held-out.js';
import type { Split } from './held-out.js';
import type { Random } from './random.js';
import { NAMES, NAME_GENDER, OBJECTS, PLACES, PROFESSIONS, PROFESSION_GENDER } from './words.js';

/** [name, pattern]; `first` and `second` are the two people, `giver` the one who acts, `receiver` the answer. */
export const IOI_FRAMES: readonly (readonly [string, string])[] = [
  ['when-went', 'when {first} and {second} went to the {place} , {giver} gave a {object} to {!receiver} .'],
  ['after-went', 'after {first} and {second} went to the {place} , {giver} handed a {object} to {!receiver} .'],
  ['then-went', 'then {first} and {second} went to the {place} . {giver} gave a {object} to {!receiver} .'],
  ['while-at', 'while {first} and {second} were at the {place} , {giver} passed a {object} to {!receiver} .'],
  ['went-then', '{first} and {second} went to the {place} . then {giver} gave a {object} to {!receiver} .'],
  [
    'got-decided',
    'when {first} and {second} got a {object} at the {place} , {giver} decided to give it to {!receiver} .',
  ],
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

/** A rule that keeps a scene out of training. */
export type IoiRule = 'pair' | 'frame' | 'receiver';

/** The rules that keep a scene out of training; none for a trained one. The ABC form (giver ≠ other) has no indirect object to hold out. */
export function ioiHeldOut(frame: number, receiver: string, other: string, giver: string): IoiRule[] {
  const rules: IoiRule[] = [];
  if (giver === other && NEVER_RECEIVER.has(receiver)) rules.push('receiver');
  if (isNamePairHeldOut(receiver, other)) rules.push('pair');
  if ([receiver, other, giver].some((name) => missingFrame(name, IOI_FRAMES.length) === frame)) rules.push('frame');
  return rules;
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

const rules = (scene: Scene): IoiRule[] => ioiHeldOut(scene.frame, scene.receiver, scene.other, scene.giver);

/** Documents with one person, whom anybody may give something: the names that are never an indirect object are received here. */
const SOLO_FRAMES: readonly (readonly [string, string])[] = [
  ['when-went', 'when {person} went to the {place} , the {profession} gave a {object} to {!receiver} .'],
  ['then-went', 'then {person} went to the {place} . the {profession} handed a {object} to {!receiver} .'],
  ['found', '{person} found a {object} at the {place} . the {profession} gave it to {!receiver} .'],
];

function drawSolo(random: Random): Document {
  const [name, pattern] = random.pick(SOLO_FRAMES);
  const word = random.pick(NAMES);
  const gender = NAME_GENDER.get(word) ?? 'he';
  const profession = random.pick(PROFESSIONS);
  return fill('ioi', `ioi/${name}/solo`, pattern, {
    person: { word, role: 'person', gender },
    profession: { word: profession, role: 'profession', gender: PROFESSION_GENDER.get(profession) ?? 'he' },
    receiver: { word, role: 'answer', gender },
    place: { word: random.pick(PLACES), role: 'place' },
    object: { word: random.pick(OBJECTS), role: 'object' },
  });
}

/** Shares of the family's documents. ABC makes a corrupted prompt an ordinary document with two equal answers. */
export const IOI_FORMS = { ioi: 0.38, abc: 0.37, solo: 0.25 } as const;

export const ioiFamily: Family = {
  id: 'ioi',
  draw: (random) => {
    const form = random.weighted(IOI_FORMS);
    if (form === 'solo') return drawSolo(random);
    return compose(
      drawUntil(
        () => drawScene(random, form === 'abc'),
        (scene) => rules(scene).length === 0,
      ),
    );
  },
};

/** ABBA: the receiver is named first; BABA: second; mixed: either. */
export type IoiOrder = 'mixed' | 'abba' | 'baba';

/** Clean ABBA or BABA; corrupted: the giver becomes a third person. Held-out scenes break one rule each: half are new pairs, a quarter new frames, a quarter new receivers. */
export const ioiContrast =
  (order: IoiOrder) =>
  (random: Random, split: Split): Contrast => {
    const wanted = split === 'train' ? undefined : (['pair', 'pair', 'frame', 'receiver'] as const)[random.below(4)];
    const scene = drawUntil(
      () => drawScene(random, false),
      (drawn) =>
        rules(drawn).join() === (wanted ?? '') && (order === 'mixed' || drawn.receiverFirst === (order === 'abba')),
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
      entities: [scene.receiver, scene.other],
      labels: { template: clean.template, heldOut: wanted ?? 'none' },
    };
  };
