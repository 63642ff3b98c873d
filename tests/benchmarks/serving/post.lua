-- For wrk: posts the images whose files are named after `--`, one after the other, and ends with a line of JSON.

local requests, turn, threads = {}, 0, {}
rejected, failed = 0, 0

function setup(thread)
    table.insert(threads, thread)
end

function init(arguments)
    for index, path in ipairs(arguments) do
        local file = assert(io.open(path, "rb"))
        requests[index] = wrk.format("POST", nil, { ["Content-Type"] = "image/jpeg" }, file:read("*a"))
        file:close()
    end
end

function request()
    turn = turn % #requests + 1
    return requests[turn]
end

function response(status)
    if status == 503 then
        rejected = rejected + 1
    elseif status ~= 200 then
        failed = failed + 1
    end
end

function done(summary, latency, _)
    local rejected_by_all, failed_by_all = 0, 0
    for _, thread in ipairs(threads) do
        rejected_by_all = rejected_by_all + thread:get("rejected")
        failed_by_all = failed_by_all + thread:get("failed")
    end
    local errors = summary.errors
    io.write(string.format(
        '{"requests": %d, "microseconds": %d, "p50": %.0f, "p99": %.0f, "rejected": %d, "failed": %d, "broken": %d}\n',
        summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
        rejected_by_all, failed_by_all, errors.connect + errors.read + errors.write + errors.timeout
    ))
end
