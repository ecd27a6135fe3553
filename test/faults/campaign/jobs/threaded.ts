import { defineJob } from 'headway';
import { plan, result } from '../plan-schema.js';
import { runPlan } from '../run-plan.js';

export default defineJob({ name: 'threaded', input: plan, result, thread: true, run: runPlan });
