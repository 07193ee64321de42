// The generated SDK for Node.js, with its own signer: v1 with hmac-sha256, and v4. It has no
// encoder for PutLogs.
"use strict";

const { default: Client, ...models } = require("@alicloud/sls20201230");
const { $OpenApiUtil } = require("@alicloud/openapi-core");
const { print } = require("./loopback.cjs");

const [endpoint, signatureVersion] = process.argv.slice(2);
const { KEY_ID, KEY_SECRET, TOKEN, CURSOR } = process.env;
const client = new Client(
  new $OpenApiUtil.Config({
    endpoint,
    signatureVersion,
    accessKeyId: KEY_ID,
    accessKeySecret: KEY_SECRET,
    securityToken: TOKEN || undefined,
    protocol: "http",
    regionId: "cn-shanghai",
  }),
);
const page = { offset: 1, size: 2 };
const body = async (response) => (await response).toMap().body;

print({
  GetCheckPoint: () =>
    body(client.getCheckPoint("shop", "orders", "billing", new models.GetCheckPointRequest())),
  ListConsumerGroup: () => body(client.listConsumerGroup("shop", "orders")),
  ListShards: () => body(client.listShards("shop", "orders")),
  GetCursor: () =>
    body(client.getCursor("shop", "orders", "0", new models.GetCursorRequest({ from: "begin" }))),
  GetCursorTime: () =>
    body(
      client.getCursorTime("shop", "orders", "0", new models.GetCursorTimeRequest({ cursor: CURSOR })),
    ),
  GetLogStore: () => body(client.getLogStore("shop", "orders")),
  ListLogStores: () => body(client.listLogStores("shop", new models.ListLogStoresRequest(page))),
  ListProject: () => body(client.listProject(new models.ListProjectRequest(page))),
});
