/** Hands one case over, answers its question, takes its result, and cancels another; needs the generated schema. */

import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import createClient from "openapi-fetch";
import type { components, paths } from "./offload.js";

type Case = components["schemas"]["Case"];
type ErrorAnswer = components["schemas"]["ErrorAnswer"];

const { OFFLOAD_URL = "", OFFLOAD_KEY = "" } = process.env;
const client = createClient<paths>({ baseUrl: OFFLOAD_URL, headers: { "x-api-key": OFFLOAD_KEY } });

/** Returns what an answer holds unless it is an error; `code` is for programs, `message` for people. */
function expect<T>(answer: { data?: { ok: true; data: T }; error?: ErrorAnswer }): T {
  if (answer.error) throw new Error(`${answer.error.error.code}: ${answer.error.error.message}`);
  return answer.data!.data;
}

/** Returns the id of a case that asks Maya for a form. A lost answer may be repeated with the same key. */
async function handOver(reference: string): Promise<string> {
  const opened = await client.POST("/cases", {
    params: { header: { "Idempotency-Key": randomUUID() } },
    body: {
      channel: "EMAIL",
      goal: { objective: "Collect a signed W-9 from Maya at Northstar" },
      counterparty: { address: `maya-${randomUUID()}@northstar.example`, name: "Maya Lindqvist" },
      senderPersona: { name: "Ana Reyes", role: "Accounts Payable", company: "Acme" },
      clientReferenceId: reference,
      resultSchema: {
        type: "object",
        properties: { legalName: { type: "string" }, taxId: { type: "string" } },
        required: ["legalName", "taxId"],
      },
    },
  });
  return expect(opened).caseId;
}

/** Returns the case once it has ended; answers each of its questions on the way. */
async function seeThrough(caseId: string): Promise<Case> {
  const answered = new Set<string>();
  for (;;) {
    const found = expect(await client.GET("/cases/{caseId}", { params: { path: { caseId } } }));
    if (found.status === "COMPLETED" || found.status === "FAILED") return found;
    const asked = found.inputRequest;
    if (asked?.status === "PENDING" && !answered.has(asked.id)) {
      console.log("asked:", asked.question);
      const body = { inputRequestId: asked.id, providedContext: "For Northstar Logistics LLC." };
      expect(await client.POST("/cases/{caseId}/input", { params: { path: { caseId } }, body }));
      answered.add(asked.id);
    }
    await sleep(1000);
  }
}

const reference = `vendor-${randomUUID()}`;
const caseId = await handOver(reference);
console.log("handed over:", caseId);

// Meanwhile Maya asks and answers.
const ended = await seeThrough(caseId);
console.log("ended:", ended.status, ended.resultStatus);
console.log("result:", ended.result?.["legalName"], ended.result?.["taxId"]);
for (const { attachmentId } of ended.attachments) {
  const path = { caseId, attachmentId };
  const link = expect(await client.GET("/cases/{caseId}/attachments/{attachmentId}", { params: { path } }));
  console.log("file:", link.name, link.size, link.downloadUrl);
}

const query = { clientReferenceId: reference, status: ["COMPLETED" as const] };
const listed = expect(await client.GET("/cases", { params: { query } }));
console.log("listed:", listed.cases.map((one) => one.caseId).join(" "));

const unwanted = { path: { caseId: await handOver(reference) } };
console.log("cancelled:", expect(await client.POST("/cases/{caseId}/cancel", { params: unwanted })).status);

const refused = await client.GET("/cases/{caseId}", { params: { path: { caseId: randomUUID() } } });
console.log("refused:", refused.error?.error.code);
