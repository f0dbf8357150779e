-- Asks for a blob of 1 MiB in ranges of 64 KiB, one after the other, and reports as wrk_report.lua does.
local directory = debug.getinfo(1, "S").source:match("@(.*/)") or "./"
dofile(directory .. "wrk_report.lua")

local piece, pieces, number = 65536, 16, 0

function request()
    local first = number % pieces * piece
    number = number + 1
    return wrk.format("GET", nil, { ["Range"] = string.format("bytes=%d-%d", first, first + piece - 1) })
end
