"""Sentence frames of a support call: what the customer says, without feeling and with it.

Level frames serve the label neutral and the turns in which only the voice is emotional alike. A feeling frame joins
a lexical cue with a fact; the same facts are also reported without feeling.
"""

from typing import Final

OPENERS: Final = (
    "{you} ơi",
    "alo {you} ơi",
    "{yes}",
    "à {you} này",
    "nhân tiện",
    "trước hết",
    "còn một việc nữa",
    "theo hợp đồng",
    "như {me} đã báo",
    "về hóa đơn {month}",
    "alo tổng đài",
    "cho {me} hỏi",
    "{me} nói thêm",
    "ngoài ra",
    "theo tin nhắn {past}",
)

TAILS: Final = (
    "{you} kiểm tra giúp {me}",
    "{you} ghi lại {please}",
    "{you} xem lại giúp",
    "đúng không {you}",
    "{me} cần biết vậy thôi",
    "{me} đang giữ máy",
    "cảm ơn {you}",
    "{you} tra giúp {me} {please}",
    "{me} chờ tin nhắn",
    "{you} nhắn lại sau cũng được",
    "{me} có sẵn mã ở đây",
    "hẹn {you} {future}",
)

CORES: Final = (
    "{me} muốn hỏi về {service}",
    "{me} đăng ký {service} từ {past}",
    "mã đơn hàng của {me} là {digits}",
    "số thuê bao có đuôi {digits}",
    "nhà {me} ở {street} {place}",
    "{me} đặt {product} hồi {past}",
    "{me} muốn đổi giờ giao sang {future}",
    "kỹ thuật viên hẹn đến lúc {hour}",
    "{me} đã chuyển khoản {amount} {past}",
    "hóa đơn {month} của {me} là {amount}",
    "{me} cần {action} trên {app}",
    "{you} chỉ {me} cách {action}",
    "{service} của {me} hết hạn vào {month}",
    "{me} muốn nhận {document} qua thư điện tử",
    "{document} gửi về {place} giúp {me}",
    "{me} đang dùng {service} ở {place}",
    "{me} muốn chuyển {service} sang {place}",
    "đơn hàng của {me} có một {product}",
    "{me} gọi lại theo lịch lúc {hour}",
    "{you} đọc lại giúp {me} mã {digits}",
    "tên chủ hợp đồng là {name}",
    "{me} tên {name} ở {place}",
    "phí {service} mỗi tháng là {amount}",
    "{future} {me} có ở nhà để nhận",
    "{me} định {action} vào {future}",
    "{me} gửi {document} cho bên {you} {past}",
    "{me} nhận được mã {digits} {past}",
    "bên {you} làm việc đến {hour}",
    "{me} mua {product} ở {place}",
    "{me} đóng {amount} cho {service}",
    "{me} báo là {trouble}",
    "hệ thống đang ghi là {trouble}",
    "hiện giờ {success}",
    "{me} báo là {success}",
    "{trouble}",
    "{success}",
)

FEELING_FIRST: Final = {
    "angry": (
        "bực mình quá",
        "làm ăn kiểu gì vậy",
        "{me} chịu hết nổi rồi",
        "{me} tức lắm rồi",
        "vô lý hết sức",
        "đừng hứa suông nữa",
        "quá đáng thật",
        "{me} bực hết sức",
        "tệ không chịu nổi",
        "vô trách nhiệm quá",
    ),
    "happy": (
        "tuyệt vời quá",
        "vui quá",
        "{me} hài lòng lắm",
        "may quá",
        "hay quá",
        "ôi thích thật",
        "{me} mừng hết sức",
        "thật là tuyệt vời",
        "cảm ơn {you} nhiều lắm",
        "{you} giỏi quá",
    ),
    "sad": (
        "{me} buồn quá",
        "tiếc thật",
        "{me} mệt mỏi lắm rồi",
        "chán nản quá",
        "khổ tâm quá",
        "{me} nản hết sức",
        "nghĩ mà buồn",
        "thất vọng thật",
        "{me} tủi thân lắm",
        "hụt hẫng quá",
    ),
}

FEELING_LAST: Final = {
    "angry": (
        "thật quá đáng",
        "{me} không chấp nhận được",
        "các {you} quá vô trách nhiệm",
        "{me} chịu hết nổi rồi",
        "{me} phải khiếu nại ngay",
        "phục vụ quá tệ",
        "{me} bực mình lắm rồi",
        "làm ăn kiểu gì vậy",
        "tức không chịu được",
        "vô lý không thể tả",
    ),
    "happy": (
        "{me} cảm ơn nhiều lắm",
        "{me} mừng lắm",
        "{you} nhiệt tình ghê",
        "cả nhà {me} thích lắm",
        "hay thật đấy",
        "thật là tuyệt vời",
        "{me} vui lắm luôn",
        "{me} hài lòng hết sức",
        "phục vụ quá tuyệt vời",
        "{you} giỏi ghê",
    ),
    "sad": (
        "{me} thất vọng lắm",
        "{me} không biết làm sao nữa",
        "nghĩ mà tủi thân",
        "thôi {me} đành chịu vậy",
        "{me} muốn khóc luôn",
        "cả nhà {me} buồn lắm",
        "{me} buồn mấy hôm nay",
        "tiếc không nói nên lời",
        "{me} hụt hẫng quá",
        "{me} chán nản lắm",
    ),
}

FACT_OF_FEELING: Final = {"angry": "{trouble}", "happy": "{success}", "sad": "{trouble}"}

FEELING_ALONE: Final = {
    "angry": (
        "{me} bực mình vì {trouble}",
        "{me} chịu hết nổi cảnh {trouble}",
        "không chấp nhận được chuyện {trouble}",
        "tức ghê vì {trouble}",
        "{me} phải khiếu nại vì {trouble}",
    ),
    "happy": (
        "{me} vui vì {success}",
        "cảm ơn {you} nhiều vì {success}",
        "thật tuyệt vời khi {success}",
        "mừng ghê vì {success}",
        "{me} rất hài lòng vì {success}",
    ),
    "sad": (
        "{me} buồn vì {trouble}",
        "{me} thất vọng vì {trouble}",
        "thật hụt hẫng khi {trouble}",
        "nản ghê vì {trouble}",
        "tủi thân vì {trouble}",
    ),
}
